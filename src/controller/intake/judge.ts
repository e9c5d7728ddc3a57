import { repositoryIdOf } from '../../sources/github/describe-delivery.ts';
import { toEvent } from '../../sources/events.ts';
import type { Clock } from '../../lib/clock.ts';
import type { LoadedSpec } from '../../model/deployment-spec.ts';
import { sameRepository, type Event, type Json } from '../../model/event.ts';
import type { Catalog } from '../../spec/catalog.ts';
import { chainOfEvent, type ChainPayload } from '../../model/chain.ts';
import { hookOfEvent, pressIn, scopeOf } from '../../model/hook.ts';
import { asTeardown, teardownOfEvent, type TeardownPayload } from '../../model/preview.ts';
import { scheduleOfEvent, type SchedulePayload } from '../../model/schedule.ts';
import { serverOfEvent } from '../../model/server-event.ts';
import { failed } from '../../model/verdict.ts';
import { batchKeyOf } from '../../spec/batch-key.ts';
import { matchesHookCondition, rollbackReason, rollsBack } from '../../spec/match-hook.ts';
import { matchSpecs } from '../../spec/match-specs.ts';
import type { RepositoriesInMemory } from '../../store/repositories.ts';
import { pressEvent } from '../hooks/press.ts';
import type { WhyNoPlan } from '../plans/wanted.ts';
import type { Judged } from './judged.ts';
import type { Resolve } from './resolve.ts';

/** An event and the specs of its repository. */
export interface Recognized {
  event: Event;
  candidates: LoadedSpec[];
}

/** Reads payloads. */
export interface Recognize {
  (eventName: string, payload: Json): Promise<Recognized>;
  /** The same from memory; undefined when the store has to be asked what the repository is called. */
  atOnce(eventName: string, payload: Json): Recognized | undefined;
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
  repositories: Pick<RepositoriesInMemory, 'namesSeen' | 'namesKept'>;
  whyNoPlan: WhyNoPlan;
  clock: Clock;
}): Recognize {
  const { catalog, repositories, clock, whyNoPlan } = deps;

  /** With the repository whose names decide on the candidates, if any. */
  function read(name: string, payload: Json): Recognized & { repository: string | undefined } {
    const own = recognizeOwn(catalog, name, payload);
    if (own !== undefined) return { ...own, repository: undefined };
    const event = toEvent(name, payload);
    return { event, candidates: [], repository: event.repository };
  }

  async function recognize(name: string, payload: Json): Promise<Recognized> {
    const { repository, ...recognized } = read(name, payload);
    if (repository === undefined) return recognized;
    const id = numberOf(name, payload);
    const names = await repositories.namesSeen(id, repository, clock.now());
    return called(recognized.event, repository, names);
  }

  function atOnce(name: string, payload: Json): Recognized | undefined {
    const { repository, ...recognized } = read(name, payload);
    if (repository === undefined) return recognized;
    const names = repositories.namesKept(numberOf(name, payload), repository);
    return names && called(recognized.event, repository, names);
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

  return Object.assign(recognize, { atOnce });
}

/** Other servers number their repositories as GitHub does. */
function numberOf(name: string, payload: Json): number | undefined {
  return serverOfEvent(name) === undefined ? repositoryIdOf(payload) : undefined;
}

/** What a delivery means that is of Mainsheet itself, or came to a hook; undefined for one of a git server. */
export function recognizeOwn(
  catalog: Pick<Catalog, 'forHook' | 'hook' | 'byName'>,
  name: string,
  payload: Json,
): Recognized | undefined {
  const hook = hookOfEvent(name);
  if (hook !== undefined) return recognizeHook(catalog, hook, payload);
  const spec = scheduleOfEvent(name);
  if (spec !== undefined) return recognizeSchedule(catalog, spec, payload);
  if (chainOfEvent(name) !== undefined) return recognizeChain(catalog, payload);
  return teardownOfEvent(name) === undefined ? undefined : recognizeTeardown(catalog, payload);
}

/** What a stored request to a hook means. */
export function recognizeHook(
  catalog: Pick<Catalog, 'forHook' | 'hook'>,
  hook: string,
  payload: Json,
): Recognized {
  const configured = catalog.hook(hook)?.hook;
  const press = pressIn(payload);
  if (press !== undefined) return { event: pressEvent(hook, configured, press), candidates: [] };
  const verdict =
    configured === undefined
      ? failed('hook', `there is no hook ${hook} any more`)
      : matchesHookCondition('hook.if', configured.if, payload);
  return {
    event: { kind: 'hook', hook, repository: undefined, verdict, scope: scopeOf(payload) },
    candidates: [...catalog.forHook(hook)],
  };
}

/** What a stored end of a run means to the spec that it starts. */
function recognizeChain(catalog: Pick<Catalog, 'byName'>, payload: Json): Recognized {
  const { spec: starts, deployment } = payload as unknown as ChainPayload;
  const { run, spec, state, repository, ref, sha } = deployment;
  const branch = ref.startsWith('refs/heads/') ? ref.slice('refs/heads/'.length) : undefined;
  const after = { run, spec, state };
  const loaded = catalog.byName(starts);
  return {
    event: { kind: 'deployment', repository, starts, after, ref, branch, sha },
    candidates: loaded === undefined ? [] : [loaded],
  };
}

/** What the stored end of a preview means to its spec. */
function recognizeTeardown(catalog: Pick<Catalog, 'byName'>, payload: Json): Recognized {
  const { spec, number, reason, repository, sha, fork } = payload as unknown as TeardownPayload;
  const loaded = catalog.byName(spec);
  return {
    event: { kind: 'teardown', repository, spec, number, reason, sha, fork },
    candidates: loaded === undefined ? [] : [asTeardown(loaded)],
  };
}

/** What a stored time of a spec's schedule means. */
function recognizeSchedule(
  catalog: Pick<Catalog, 'byName'>,
  spec: string,
  payload: Json,
): Recognized {
  const { schedule, timezone, due } = payload as unknown as SchedulePayload;
  const event = { kind: 'schedule', repository: undefined, spec, cron: schedule } as const;
  const loaded = catalog.byName(spec);
  return {
    event: { ...event, timeZone: timezone, due: Date.parse(due) },
    candidates: loaded === undefined ? [] : [loaded],
  };
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
