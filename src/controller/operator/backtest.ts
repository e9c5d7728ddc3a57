import { hookOfEvent, type LoadedHook } from '../../model/hook.ts';
import { toEvent } from '../../sources/events.ts';
import { createFairTurn } from '../../lib/fair-turn.ts';
import type { DeploymentSpec, LoadedSpec } from '../../model/deployment-spec.ts';
import { sameRepository, type Event, type Json } from '../../model/event.ts';
import type { Catalog } from '../../spec/catalog.ts';
import { hookTriggerOf } from '../../spec/match-hook.ts';
import { recognizeOwn, type Recognized } from '../intake/judge.ts';
import type { Reason, Verdict } from '../../model/verdict.ts';
import { matchSpecs } from '../../spec/match-specs.ts';
import { needsChangedPaths } from '../../spec/match.ts';
import type { Store } from '../../store/index.ts';
import type { PastDelivery } from '../../store/past-deliveries.ts';

/** Deliveries that are read at once: payloads may be large. */
const AT_ONCE = 100;
/** Differences that are told; the rest is counted. */
const MOST_DIFFERENCES = 500;

/** A delivery and a spec about which the specs of then and the new ones do not agree. */
export interface Difference {
  delivery: string;
  event: string;
  repository: string;
  receivedAt: number;
  /** The whole ref, where the event has one. */
  ref: string | undefined;
  sha: string | undefined;
  spec: string;
  /** Whether it was deployed then, and whether it would be now. */
  did: boolean;
  would: boolean;
  /** The run that was made then. */
  run: string | undefined;
  /** What the new specs say, each condition. */
  reasons: Reason[];
  /** False where only git knows all changed files, so that `paths` may come out otherwise. */
  certain: boolean;
}

/** What other specs would have made of the deliveries on disk. */
export interface BacktestResult {
  /** Deliveries that were looked at, and how many spec decisions among them were and would be to deploy. */
  deliveries: number;
  deployed: number;
  wouldDeploy: number;
  /** The newest, newest first. */
  differences: Difference[];
  /** How many differences there are in all. */
  total: number;
}

/** How far a backtest has come: deliveries that were looked at, and when the first and the last of these came, in milliseconds. */
export interface Looked {
  deliveries: number;
  from: number;
  at: number;
}

/** The part of the time up to `now` that was looked at, from 0 to 1. Deliveries come in their order, and may have been received in another. */
export function shareOf({ from, at }: Looked, now: number): number {
  return Math.min(1, Math.max(0, at - from) / Math.max(1, now - from));
}

/** Judges what came at or after `since` (milliseconds) by `specs`; nothing is deployed and git is not asked. */
export type Backtest = (
  specs: readonly LoadedSpec[],
  since: number,
  signal: AbortSignal,
  more?: {
    /** Hooks that take the place of those in use. */
    hooks?: readonly LoadedHook[];
    /** Names of the only specs to compare; default all, those too that are no longer there. */
    only?: ReadonlySet<string>;
    /** Repositories in small letters: deliveries of others, and of none, are not looked at. Undefined: all are. */
    visible?: readonly string[] | undefined;
    /** So many of the newest deliveries at most, of all that came; default all. */
    newest?: number;
    /** Told now and then how far it has come. */
    progress?: (looked: Looked) => void;
  },
) => Promise<BacktestResult>;

export function createBacktest(deps: { store: Store; catalog: Pick<Catalog, 'hook'> }): Backtest {
  const { store, catalog } = deps;

  return async (specs, since, signal, { hooks = [], only, visible, newest, progress } = {}) => {
    const result: BacktestResult = {
      deliveries: 0,
      deployed: 0,
      wouldDeploy: 0,
      differences: [],
      total: 0,
    };
    const fairTurn = createFairTurn();
    const candidatesOf = createCandidates(specs, store);
    const changed = new Map(hooks.map((loaded) => [loaded.hook.id, loaded]));
    const set = {
      forHook: (id: string) => specs.filter(({ spec }) => hookTriggerOf(spec, id) !== undefined),
      hook: (id: string) => changed.get(id) ?? catalog.hook(id),
      byName: (name: string) => specs.find(({ spec }) => spec.name === name),
    };
    /** Hooks, schedules and chains name their specs by themselves. */
    const isOfOwn = (event: string) => {
      const hook = hookOfEvent(event);
      return hook === undefined ? event.includes(':') : set.forHook(hook).length > 0;
    };
    let after = newest === undefined ? 0 : await store.pastDeliveries.beforeNewest(newest);
    let from: number | undefined;
    for (;;) {
      signal.throwIfAborted();
      const past = await store.pastDeliveries.after(after, since, AT_ONCE, visible);
      for (const delivery of past) {
        await fairTurn();
        const { event, repository } = delivery;
        const candidates = await candidatesOf(repository);
        const isConcerned = candidates.length > 0 || isOfOwn(event);
        const recognize = (payload: Json) =>
          recognizeOwn(set, event, payload) ?? recognizeAs(candidates, event, payload);
        await judge(delivery, isConcerned ? recognize : undefined, only, result);
      }
      after = past.at(-1)?.seq ?? after;
      from ??= past[0]?.receivedAt;
      const at = past.at(-1)?.receivedAt;
      if (from !== undefined && at !== undefined) {
        progress?.({ deliveries: result.deliveries, from, at });
      }
      if (past.length < AT_ONCE) break;
    }
    result.differences.reverse();
    return result;
  };
}

/** The specs of a repository, also under the names that it had. */
function createCandidates(specs: readonly LoadedSpec[], store: Store) {
  const known = new Map<string, LoadedSpec[]>();
  return async (repository: string | undefined): Promise<LoadedSpec[]> => {
    if (repository === undefined) return [];
    const found = known.get(repository);
    if (found !== undefined) return found;
    const names = [repository, ...(await store.repositories.namesOf(repository))];
    const candidates = specs.filter(({ spec }) =>
      names.some((name) => sameRepository(name, spec.repository)),
    );
    known.set(repository, candidates);
    return candidates;
  };
}

function recognizeAs(candidates: LoadedSpec[], name: string, payload: Json): Recognized {
  const formerly = candidates.map(({ spec }) => spec.repository);
  return { candidates, event: { ...toEvent(name, payload), formerly } };
}

/** Without `recognize` nothing can start; then it is only told what did. */
async function judge(
  delivery: PastDelivery,
  recognize: ((payload: Json) => Recognized) | undefined,
  only: ReadonlySet<string> | undefined,
  result: BacktestResult,
): Promise<void> {
  result.deliveries += 1;
  const decisions = (delivery.outcome?.specs ?? []).filter(({ spec }) => only?.has(spec) ?? true);
  const then = new Map(decisions.map((decided) => [decided.spec, decided]));
  if (recognize === undefined && then.size === 0) return;
  const payload = JSON.parse(delivery.payload) as Json;
  const { event, candidates } = recognize?.(payload) ?? recognizeAs([], delivery.event, payload);
  const specs = candidates.map(({ spec }) => spec);
  const verdicts = await matchUntilSure(specs, event, payload);
  const now = new Map(
    specs.map((spec, index) => [
      spec.name,
      { ...verdicts[index], certain: !needsChangedPaths([spec], event) },
    ]),
  );
  for (const name of new Set([...then.keys(), ...now.keys()])) {
    const decided = then.get(name);
    const did = decided?.verdict.matched === true;
    const would = now.get(name)?.matched === true;
    if (did) result.deployed += 1;
    if (would) result.wouldDeploy += 1;
    if (did === would) continue;
    result.total += 1;
    result.differences.push({
      delivery: delivery.id,
      event: delivery.event,
      repository: delivery.repository ?? '',
      receivedAt: delivery.receivedAt,
      ref: 'ref' in event ? event.ref : undefined,
      sha: 'sha' in event ? event.sha : undefined,
      spec: name,
      did,
      would,
      run: decided?.run,
      reasons: now.get(name)?.reasons ?? [notThere(name)],
      certain: now.get(name)?.certain ?? true,
    });
    if (result.differences.length > MOST_DIFFERENCES) result.differences.shift();
  }
}

/** A condition costs more than all else, so `if` is looked at, and among the reasons, only where all else holds. */
async function matchUntilSure(
  specs: readonly DeploymentSpec[],
  event: Event,
  payload: Json,
): Promise<Verdict[]> {
  const unconditional = specs.map((spec) => ({ ...spec, if: undefined }));
  const verdicts = await matchSpecs(unconditional, event, payload);
  const open = specs.filter((spec, index) => spec.if !== undefined && verdicts[index]?.matched);
  const decided = (await matchSpecs(open, event, payload)).values();
  return verdicts.map((verdict, index) => {
    if (specs[index]?.if === undefined) return verdict;
    if (verdict.matched) return decided.next().value ?? verdict;
    return { ...verdict, reasons: verdict.reasons.filter(({ condition }) => condition !== 'if') };
  });
}

function notThere(name: string): Reason {
  return {
    condition: 'spec',
    held: false,
    detail: `there is no spec "${name}" for this repository`,
  };
}
