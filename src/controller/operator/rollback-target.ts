import { TerminalError } from '../../lib/errors.ts';
import type { Run } from '../../model/run.ts';
import { sameRepository } from '../../model/event.ts';
import type { Catalog } from '../../spec/catalog.ts';
import type { Tables } from '../../store/index.ts';

/**
 * What a rollback from a run deploys: what stood before what the run deploys (`stoodBefore`); or the run `to`, which must have deployed something there. Throws TerminalError `run-unknown`, `nothing-to-roll-back-to`.
 */
export async function rollbackTarget(
  { runs }: Pick<Tables, 'runs'>,
  from: Run,
  to: string | undefined,
): Promise<Run> {
  const target = to === undefined ? (await runs.standingBefore(from))[0] : await findRun(runs, to);
  const hint = `"mainsheet runs --spec ${from.spec} --state succeeded" lists what there is`;
  if (target === undefined)
    throw nothing(`${from.spec} has no earlier successful run of another revision`, hint);
  const { id, spec, lane, state } = target;
  if (state === 'succeeded' && spec === from.spec && lane === from.lane) return target;
  throw nothing(
    `run ${id} of ${spec} is ${state}: it is no revision that ${from.spec} had deployed`,
    hint,
  );
}

/** Whether a spec, as it is in use, is about the same repository as something that it did before; one that is in use no more is. */
export type IsOwn = (done: { spec: string; repository: string }) => Promise<boolean>;

export function createIsOwn(
  catalog: Pick<Catalog, 'byName'>,
  repositories: Pick<Tables['repositories'], 'namesOf'>,
): IsOwn {
  return async ({ spec, repository }) => {
    const now = catalog.byName(spec)?.spec.repository;
    if (now === undefined || sameRepository(now, repository)) return true;
    return (await repositories.namesOf(now)).some((name) => sameRepository(name, repository));
  };
}

/**
 * Throws TerminalError `illegal-transition`: those who may deploy what a spec deployed before it was given to another repository
 * may not have it in that one's environment again.
 */
export async function checkOwn(run: Run, isOwn: IsOwn): Promise<void> {
  if (await isOwn(run)) return;
  throw new TerminalError(
    'illegal-transition',
    `run ${run.id} deployed ${run.repository}, and ${run.spec} is another repository's now`,
    { hint: 'only a rollback of the spec that names a run of before ("to") deploys it again' },
  );
}

/**
 * The run that a spec's newest deployment came by. Where the spec was another
 * repository's before, one of that repository counts only with `anyRepository`. Throws TerminalError `spec-unknown`,
 * `nothing-to-roll-back-to`.
 */
export async function deployedNow(
  { environments, runs }: Pick<Tables, 'environments' | 'runs'>,
  spec: string,
  isOwn: IsOwn,
  anyRepository: boolean,
): Promise<Run> {
  const places = (await environments.list())
    .filter((place) => place.spec === spec)
    .toSorted((a, b) => b.deployedAt - a.deployedAt);
  const own = await Promise.all(places.map(isOwn));
  const newest = places.find((_, at) => own[at]) ?? (anyRepository ? places[0] : undefined);
  if (newest === undefined && places.length > 0) {
    throw nothing(
      `${spec} was another repository's when it last deployed, and has deployed nothing of its own yet`,
      'a run of before can be named ("to") by those who may deploy both repositories',
    );
  }
  const run = newest === undefined ? undefined : await runs.get(newest.run);
  if (run === undefined) {
    const { items } = await runs.list({ limit: 1, before: undefined }, { spec });
    if (items.length > 0) throw nothing(`${spec} has deployed nothing yet`);
    throw new TerminalError('spec-unknown', `there is no run of a deployment spec ${spec}`);
  }
  return run;
}

/** Throws TerminalError `run-unknown`. */
export async function findRun(runs: Pick<Tables['runs'], 'get'>, id: string): Promise<Run> {
  const run = await runs.get(id);
  if (run !== undefined) return run;
  throw new TerminalError('run-unknown', `there is no run ${id}`, {
    hint: '"mainsheet runs" lists what there is',
  });
}

function nothing(message: string, hint?: string): TerminalError {
  return new TerminalError('nothing-to-roll-back-to', message, { hint });
}
