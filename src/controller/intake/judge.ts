import type { Clock } from '../../lib/clock.ts';
import { chainOfEvent, type ChainPayload } from '../../model/chain.ts';
import type { Delivery, DeliveryOutcome } from '../../model/delivery.ts';
import type { LoadedSpec } from '../../model/deployment-spec.ts';
import { sameRepository, type Event, type Json, type ProtectionEvent } from '../../model/event.ts';
import { hookOfEvent, pressIn, scopeOf } from '../../model/hook.ts';
import { asTeardown, teardownOfEvent, type TeardownPayload } from '../../model/preview.ts';
import { PROTECTION } from '../../model/protection.ts';
import { hasEnded, type Run } from '../../model/run.ts';
import { scheduleOfEvent, type SchedulePayload } from '../../model/schedule.ts';
import { serverOfEvent } from '../../model/server-event.ts';
import { allOf, failed, held, type Verdict } from '../../model/verdict.ts';
import { toEvent } from '../../sources/events.ts';
import { repositoryIdOf } from '../../sources/github/describe-delivery.ts';
import { batchKeyOf } from '../../spec/batch-key.ts';
import type { Catalog } from '../../spec/catalog.ts';
import {
  matchesHookCondition,
  ROLLBACK,
  rollbackReason,
  rollsBack,
} from '../../spec/match-hook.ts';
import { matchSpecs } from '../../spec/match-specs.ts';
import type { RepositoriesInMemory } from '../../store/repositories.ts';
import type { Snapshots } from '../../store/snapshots.ts';
import { readSnapshot } from '../../runs/snapshot.ts';
import { pressEvent } from '../hooks/press.ts';
import type { WhyNoPlan } from '../plans/wanted.ts';
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
  /** The same for many that are read at one moment: the store is asked once about each repository. */
  atOneMoment(): Recognize;
}

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

/** `digest`: the spec is not as it is now, but as it was when a run was made from it: that snapshot's takes the place of the candidates. */
interface Own extends Recognized {
  digest?: string | undefined;
}

type OwnCatalog = Pick<Catalog, 'forHook' | 'hook' | 'byName'>;

/** Events that Mainsheet stores itself, each by what its name says: the hook, or the spec. */
const OWN: readonly {
  of: (eventName: string) => string | undefined;
  recognize: (catalog: OwnCatalog, of: string, payload: Json) => Own;
}[] = [
  { of: hookOfEvent, recognize: recognizeHook },
  { of: scheduleOfEvent, recognize: recognizeSchedule },
  { of: chainOfEvent, recognize: recognizeChain },
  { of: teardownOfEvent, recognize: recognizeTeardown },
];

/** What a delivery means that is of Mainsheet itself, or came to a hook; undefined for one of a git server. */
export function recognizeOwn(
  catalog: OwnCatalog,
  eventName: string,
  payload: Json,
): Own | undefined {
  for (const { of, recognize } of OWN) {
    const named = of(eventName);
    if (named !== undefined) return recognize(catalog, named, payload);
  }
  return undefined;
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
function recognizeChain(
  catalog: Pick<Catalog, 'byName'>,
  _spec: string,
  payload: Json,
): Recognized {
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

/** What the stored end of a preview means to its spec, or to the one that has deployed it. */
function recognizeTeardown(catalog: Pick<Catalog, 'byName'>, spec: string, payload: Json): Own {
  const { digest, ...told } = payload as unknown as TeardownPayload;
  const loaded = catalog.byName(spec);
  return {
    event: { kind: 'teardown', ...told },
    candidates: loaded === undefined ? [] : [asTeardown(loaded)],
    digest,
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

/** One spec's answer to an event. */
interface SpecVerdict {
  loaded: LoadedSpec;
  verdict: Verdict;
  /** Where it gathers events: the events with the same one go together. */
  batchKey?: string | undefined;
  /** Where it rolls the spec back: why, in the sender's words. */
  rollback?: string | undefined;
}

/** An event with every answer to it. */
export interface Judged {
  event: Event;
  verdicts: SpecVerdict[];
}

/** Asks every spec of the event's repository for its verdict. `patient`, `since` and what is thrown as in `Resolve`. */
export type Judge = (
  eventName: string,
  payload: Json,
  signal: AbortSignal,
  patient: boolean,
  since?: number,
) => Promise<Judged>;

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

/** Tells the rest of the process what became of a delivery, and of every run that is another than before. */
export type Announce = (
  delivery: Delivery,
  outcome: DeliveryOutcome,
  changed: readonly Run[],
) => void;

/** The conditions of a spec that matched, and yet has no run. */
const REFUSED: ReadonlySet<string> = new Set(['preview', ROLLBACK]);

/**
 * What became of a delivery, in words and by spec; `made` has the runs by spec, `batched` the places in batches. Pure.
 */
export function outcomeOf(
  { event, verdicts }: Judged,
  made: ReadonlyMap<string, Run>,
  batched: ReadonlyMap<string, string> = new Map(),
  refused: ReadonlyMap<string, Verdict> = new Map(),
): DeliveryOutcome {
  const answers = verdicts.map(({ loaded, verdict }) => ({
    loaded,
    verdict: withRefusal(verdict, refused.get(loaded.spec.name)),
  }));
  return {
    summary: summarize(event, answers, made),
    ...(event.kind === 'other' && event.isUnreadable ? { isUnreadable: true } : {}),
    specs: answers.map(({ loaded, verdict }) => ({
      spec: loaded.spec.name,
      verdict: withBatch(verdict, batched.get(loaded.spec.name)),
      run: made.get(loaded.spec.name)?.id,
    })),
  };
}

function withRefusal(verdict: Verdict, refusal: Verdict | undefined): Verdict {
  return refusal === undefined ? verdict : allOf([verdict, refusal]);
}

function withBatch(verdict: Verdict, place: string | undefined): Verdict {
  return place === undefined ? verdict : allOf([verdict, held('batch', place)]);
}

function summarize(
  event: Event,
  verdicts: readonly SpecVerdict[],
  made: ReadonlyMap<string, Run>,
): string {
  if (event.kind === PROTECTION) return answered(event, verdicts, [...made.values()]);
  const active = [...made.values()].filter((run) => !hasEnded(run.state));
  const waiting = active.filter((run) => run.state === 'blocked');
  const going = active.filter((run) => run.state !== 'blocked');
  const back = going.filter(({ cause }) => cause === 'rollback');
  const leaving = going.filter((run) => run.event === 'teardown');
  const deploying = going.filter((run) => run.cause !== 'rollback' && run.event !== 'teardown');
  if (active.length > 0) {
    return [
      ...(deploying.length > 0 ? [`Deploying ${deploying.map((run) => run.spec).join(', ')}`] : []),
      ...leaving.map((run) => `Taking down ${run.environment}`),
      ...back.map(({ spec, sha }) => `Rolling back ${spec} to ${sha.slice(0, 7)}`),
      ...waiting.map(
        (run) =>
          `Not yet ${run.event === 'teardown' ? 'taken down' : 'deployed'}: ${run.spec} waits. ${run.reason}`,
      ),
    ].join('; ');
  }
  const [late] = made.values();
  if (late !== undefined) return `Not deployed: ${late.reason}`;
  if (event.kind === 'ping') return 'GitHub said hello: the webhook works';
  if (event.kind === 'installation') return `An installation of the App: ${event.change}`;
  if (event.kind === 'other') return `Not deployed: ${event.reason}`;
  if (event.kind === 'message-press') return 'Not done again: a press counts once';
  if (verdicts.length === 0) {
    if (event.kind === 'deployment')
      return `Not deployed: there is no spec ${event.starts} any more`;
    if (event.kind === 'teardown') return `Not taken down: there is no spec ${event.spec} any more`;
    if (event.kind === 'schedule') return `Not deployed: there is no spec ${event.spec} any more`;
    const source = event.kind === 'hook' ? `the hook ${event.hook}` : event.repository;
    return `Not deployed: no deployment spec names ${source}`;
  }
  if (event.kind === 'pull_request' && event.isClosed) {
    return `Pull request #${event.number} is closed: its previews are taken down`;
  }
  const against = verdicts
    .flatMap(({ verdict }) => verdict.reasons)
    .filter((reason) => !reason.held);
  // Of the one spec that was meant; else of one that such an event may start.
  const first =
    against.find(({ condition }) => REFUSED.has(condition)) ??
    against.find(({ condition }) => condition !== 'on') ??
    against[0];
  if (first?.condition === ROLLBACK) return `Not rolled back: ${first.detail}`;
  return `Not deployed: ${first?.detail ?? 'no deployment spec matched'}`;
}

/** What a job of Actions is told. */
function answered(
  event: ProtectionEvent,
  verdicts: readonly SpecVerdict[],
  made: readonly Run[],
): string {
  if (made.length === 0) {
    const failed = verdicts.flatMap(({ verdict }) => verdict.reasons).find(({ held }) => !held);
    const why = failed?.detail ?? `no deployment spec names ${event.repository}`;
    return `Not answered, so that the job of Actions goes on waiting: ${why}`;
  }
  const waiting = made.filter(({ state }) => state !== 'succeeded');
  return waiting.length === 0
    ? made.map(({ spec, reason }) => `${spec}: ${reason}`).join('; ')
    : waiting
        .map(({ spec, reason }) => `The job of Actions waits for ${spec}. ${reason}`)
        .join('; ');
}
