import { repositoryIdOf } from '../../sources/github/describe-delivery.ts';
import { toEvent } from '../../sources/events.ts';
import type { Clock } from '../../lib/clock.ts';
import { sameRepository, type Event, type Json } from '../../model/event.ts';
import type { Catalog } from '../../spec/catalog.ts';
import { asTeardown } from '../../model/preview.ts';
import { serverOfEvent } from '../../model/server-event.ts';
import { readSnapshot } from '../../runs/snapshot.ts';
import { batchKeyOf } from '../../spec/batch-key.ts';
import { rollbackReason, rollsBack } from '../../spec/match-hook.ts';
import { matchSpecs } from '../../spec/match-specs.ts';
import type { RepositoriesInMemory } from '../../store/repositories.ts';
import type { Snapshots } from '../../store/snapshots.ts';
import type { WhyNoPlan } from '../plans/wanted.ts';
import type { Judged } from './judged.ts';
import { recognizeOwn, type Own, type Recognized } from './own-events.ts';
import type { Resolve } from './resolve.ts';

/** Reads payloads. */
export interface Recognize {
  (eventName: string, payload: Json): Promise<Recognized>;
  /** The same from memory; undefined when the store has to be asked what the repository is called. */
  atOnce(eventName: string, payload: Json): Recognized | undefined;
  /** The same for many that are read at one moment: the store is asked once about each repository. */
  atOneMoment(): Recognize;
}

/** Asks every spec of the event's repository for its verdict. `patient`, `since` and what is thrown as in `Resolve`. */
export type Judge = (
  eventName: string,
  payload: Json,
  signal: AbortSignal,
  patient: boolean,
  since?: number,
) => Promise<Judged>;

export function createRecognize(deps: {
  catalog: Pick<Catalog, 'forRepository' | 'forHook' | 'hook' | 'byName'>;
  snapshots: Pick<Snapshots, 'get'>;
  repositories: Pick<RepositoriesInMemory, 'namesSeen' | 'namesKept' | 'atOneMoment'>;
  whyNoPlan: WhyNoPlan;
  clock: Clock;
}): Recognize {
  const { catalog, snapshots, repositories, clock, whyNoPlan } = deps;

  async function recognize(name: string, payload: Json): Promise<Recognized> {
    const own = recognizeOwn(catalog, name, payload);
    if (own !== undefined) return await withSnapshot(own);
    const event = toEvent(name, payload);
    const { repository } = event;
    if (repository === undefined) return { event, candidates: [] };
    const id = numberOf(name, payload);
    const kept = repositories.namesKept(id, repository);
    const names = kept ?? (await repositories.namesSeen(id, repository, clock.now()));
    return called(event, repository, names);
  }

  async function withSnapshot({ event, candidates, digest }: Own): Promise<Recognized> {
    if (digest === undefined) return { event, candidates };
    return { event, candidates: [asTeardown(await readSnapshot({ snapshots }, digest))] };
  }

  function atOnce(name: string, payload: Json): Recognized | undefined {
    const own = recognizeOwn(catalog, name, payload);
    if (own !== undefined) return own.digest === undefined ? own : undefined;
    const event = toEvent(name, payload);
    if (event.repository === undefined) return { event, candidates: [] };
    const names = repositories.namesKept(numberOf(name, payload), event.repository);
    return names && called(event, event.repository, names);
  }

  /** `names`: those that the event's repository has and had. */
  function called(event: Event, repository: string, names: readonly string[]): Recognized {
    const formerly = names.filter((one) => !sameRepository(one, repository));
    const renamed = formerly.length === 0 ? event : { ...event, formerly };
    const candidates = [repository, ...formerly].flatMap((one) => catalog.forRepository(one));
    if (renamed.kind !== 'pull_request') return { event: renamed, candidates };
    const reason = whyNoPlan(renamed, candidates);
    if (candidates.some(({ spec }) => spec.on.pullRequest !== undefined)) {
      return { event: { ...renamed, ...(reason && { noPlan: reason }) }, candidates };
    }
    const other = { kind: 'other', name: 'pull_request', action: undefined, repository } as const;
    return reason === undefined
      ? { event: renamed, candidates: [] }
      : { event: { ...other, reason }, candidates };
  }

  const atOneMoment = () => createRecognize({ ...deps, repositories: repositories.atOneMoment() });
  return Object.assign(recognize, { atOnce, atOneMoment });
}

/** Other servers number their repositories as GitHub does. */
function numberOf(name: string, payload: Json): number | undefined {
  return serverOfEvent(name) === undefined ? repositoryIdOf(payload) : undefined;
}

export function createJudge(deps: { recognize: Recognize; resolve: Resolve }): Judge {
  return async (name, payload, signal, patient, since) => {
    const { event: parsed, candidates } = await deps.recognize(name, payload);
    const event = await deps.resolve(parsed, payload, candidates, signal, patient, since);
    return await judgedBy({ event, candidates }, payload);
  };
}

/** The verdicts on an event of which nothing is left open. */
export async function judgedBy({ event, candidates }: Recognized, payload: Json): Promise<Judged> {
  const specs = candidates.map(({ spec }) => spec);
  const verdicts = await matchSpecs(specs, event, payload);
  return {
    event,
    verdicts: candidates.flatMap((loaded, index) => {
      const verdict = verdicts[index];
      if (verdict === undefined) return [];
      const { spec } = loaded;
      const isGathered = spec.batch !== undefined && verdict.matched && !rollsBack(spec, event);
      const batchKey = isGathered ? batchKeyOf(spec, event, payload) : undefined;
      const isRollback = event.kind === 'hook' && rollsBack(spec, event);
      const rollback = isRollback ? rollbackReason(spec, event, payload) : undefined;
      return [{ loaded, verdict, batchKey, rollback }];
    }),
  };
}
