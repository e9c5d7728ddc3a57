import { TerminalError } from '../../lib/errors.ts';
import type { Run } from '../../model/run.ts';
import type { Tables } from '../../store/index.ts';

/**
 * What a rollback from a run deploys: the newest successful run of its spec that is older and of another revision; or the run
 * `to`, which must have deployed something there. Throws TerminalError `run-unknown`, `nothing-to-roll-back-to`.
 */
export async function rollbackTarget(
  { runs }: Pick<Tables, 'runs'>,
  from: Run,
  to: string | undefined,
): Promise<Run> {
  const target = to === undefined ? await runs.lastSuccessBefore(from) : await findRun(runs, to);
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

/**
 * The run by which a spec's newest deployment first came: not the hand that brought it back. Throws TerminalError
 * `spec-unknown`, `nothing-to-roll-back-to`.
 */
export async function deployedNow(
  { environments, runs }: Pick<Tables, 'environments' | 'runs'>,
  spec: string,
): Promise<Run> {
  const places = (await environments.list()).filter((place) => place.spec === spec);
  const [newest] = places.toSorted((a, b) => b.deployedAt - a.deployedAt);
  const run = newest === undefined ? undefined : await runs.get(newest.run);
  if (run === undefined) {
    const { items } = await runs.list({ limit: 1, before: undefined }, { spec });
    if (items.length > 0) throw nothing(`${spec} has deployed nothing yet`);
    throw new TerminalError('spec-unknown', `there is no run of a deployment spec ${spec}`);
  }
  if (run.cause === 'event') return run;
  const { lane, sha, sequence } = run;
  const filter = { spec, lane, sha, state: 'succeeded' } as const;
  const { items } = await runs.list({ limit: 200, before: sequence }, filter);
  return items.find(({ cause }) => cause === 'event') ?? items.at(-1) ?? run;
}

/** Throws TerminalError `run-unknown`. */
export async function findRun(runs: Pick<Tables['runs'], 'get'>, id: string): Promise<Run> {
  const run = await runs.get(id);
  if (run === undefined) throw new TerminalError('run-unknown', `there is no run ${id}`);
  return run;
}

function nothing(message: string, hint?: string): TerminalError {
  return new TerminalError('nothing-to-roll-back-to', message, hint === undefined ? {} : { hint });
}
