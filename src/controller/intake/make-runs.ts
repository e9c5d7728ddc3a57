import type { Clock } from '../../lib/clock.ts';
import { newId } from '../../lib/ids.ts';
import type { LoadedSpec } from '../../model/deployment-spec.ts';
import type { Pause } from '../../model/pause.ts';
import { isProtection } from '../../model/protection.ts';
import type { NewRun, Run, RunCause } from '../../model/run.ts';
import type { Event } from '../../model/event.ts';
import { overtakenInLane } from '../../runs/ordering/ordering.ts';
import { planRun, supersededAsMade, type RunSeed } from '../../runs/plan.ts';
import type { Transitions } from '../../runs/transition.ts';
import { failed, type Verdict } from '../../model/verdict.ts';
import { ROLLBACK } from '../../spec/match-hook.ts';
import type { Tables } from '../../store/index.ts';
import type { HookRollback } from '../operator/hook-rollback.ts';
import { notePreview, whyNoTeardown, type PreviewRequest } from '../previews/note-preview.ts';
import { gather, type Taken } from './gather.ts';
import type { Judged } from './judged.ts';

/** What runs are made of, besides the event. */
export interface Origin {
  delivery: string;
  cause: RunCause;
  /** By spec: why its run is superseded as it is made. */
  overtaken: ReadonlyMap<string, string>;
}

/** The runs that were made, by spec, and every run that is another than before: these, and those they took the place of. */
export interface MadeRuns {
  bySpec: ReadonlyMap<string, Run>;
  changed: Run[];
  /** By spec: which place an event has in which batch. */
  batched: ReadonlyMap<string, string>;
  /** By spec: what did not hold, so that it has no run although it matched. */
  refused: ReadonlyMap<string, Verdict>;
  /** What keeps lanes as they are after rollbacks. */
  paused: Pause[];
}

/** Makes a run for every spec that matched, within the transaction of `tables`. */
export type MakeRuns = (tables: Tables, origin: Origin, judged: Judged) => Promise<MadeRuns>;

export function createMakeRuns(deps: {
  transitions: Transitions;
  /** Rolls back the specs for which a request to a hook says so. */
  rollBack: HookRollback;
  clock: Clock;
  /** Whether steps run as another user than Mainsheet itself. Default: no. */
  stepsApart?: boolean;
}): MakeRuns {
  const { transitions, clock } = deps;
  /** By transaction: specs and lanes of which no later delivery has made a run. Deliveries that have their turn in it after that came later still. */
  const newest = new WeakMap<Tables, Set<string>>();

  /** The planned run, or superseded as it is made, when it came too late (G4). */
  async function place(
    tables: Tables,
    origin: Origin,
    planned: NewRun,
    { spec: { name, concurrency } }: LoadedSpec,
  ): Promise<NewRun> {
    const known = newest.get(tables) ?? new Set();
    const key = JSON.stringify([name, planned.lane]);
    const isNewest = () => void newest.set(tables, known.add(key));
    const overtaken =
      origin.overtaken.get(name) ??
      (known.has(key)
        ? undefined
        : await overtakenInLane(tables, planned, concurrency, { newest: isNewest }));
    return overtaken === undefined ? planned : supersededAsMade(planned, overtaken);
  }

  async function alone(
    tables: Tables,
    origin: Origin,
    planned: NewRun,
    loaded: LoadedSpec,
  ): Promise<Taken> {
    const placed = isProtection(planned) ? planned : await place(tables, origin, planned, loaded);
    return { changed: await transitions.create(tables, placed, loaded), note: undefined };
  }

  return async (tables, origin, judged) => {
    const { event, verdicts } = judged;
    const bySpec = new Map<string, Run>();
    const batched = new Map<string, string>();
    const refused = new Map<string, Verdict>();
    const changed: Run[] = [];
    const paused: Pause[] = [];
    // First: a rollback keeps others from making runs, and runs that were made would keep another process from it.
    for (const { spec, ...asked } of rollbacksOf(judged)) {
      const { delivery, cause } = origin;
      const back =
        cause === 'event'
          ? await deps.rollBack(tables, { spec, delivery, ...asked })
          : `a ${cause} rolls nothing back; "mainsheet rollback ${spec}" does`;
      if (typeof back === 'string') refused.set(spec, failed(ROLLBACK, back));
      else {
        bySpec.set(spec, back.runs[0]);
        changed.push(...back.runs);
        if (back.pause !== undefined) paused.push(back.pause);
      }
    }
    for (const { loaded, verdict, batchKey, rollback } of verdicts) {
      if (rollback !== undefined || !(verdict.matched || event.kind === 'pull_request')) continue;
      const revision = revisionFor(event, loaded);
      const now = clock.now();
      const id = newId(now);
      const { stepsApart = false } = deps;
      const { delivery } = origin;
      const asked = { loaded, matched: verdict.matched, run: id, delivery, now, stepsApart };
      const refusal = await previewed(tables, event, asked);
      if (refusal !== undefined) refused.set(loaded.spec.name, failed('preview', refusal));
      if (!verdict.matched || revision === undefined || refusal !== undefined) continue;
      const planned = planRun({ ...origin, ...revision }, loaded, id, now);
      const { name, batch } = loaded.spec;
      // What is done by hand is done at once.
      const isGathered = batch !== undefined && origin.cause === 'event' && !isProtection(planned);
      const {
        changed: [run, ...others],
        note,
      } = isGathered
        ? await gather(transitions, tables, {
            planned,
            loaded,
            batch,
            key: batchKey ?? '',
            late: origin.overtaken.get(name),
            now,
          })
        : await alone(tables, origin, planned, loaded);
      if (run === undefined) continue;
      bySpec.set(name, run);
      if (note !== undefined) batched.set(name, note);
      changed.push(run, ...others);
    }
    // Each spec has a say before one of them lets the job go on.
    for (const run of [...changed].filter(isProtection)) {
      for (const now of await transitions.hold(tables, run)) {
        changed[changed.findIndex(({ id }) => id === now.id)] = now;
        bySpec.set(now.spec, now);
      }
    }
    return { bySpec, changed, batched, refused, paused };
  };
}

/** The specs that are to be rolled back. */
function rollbacksOf({ event, verdicts }: Judged) {
  if (event.kind !== 'hook') return [];
  return verdicts.flatMap(({ loaded, verdict, rollback: reason }) =>
    verdict.matched && reason !== undefined
      ? [{ spec: loaded.spec.name, hook: event.hook, reason }]
      : [],
  );
}

/** Notes what an event means to the preview of a pull request. Answers why there is to be no run; undefined when there may. */
async function previewed(
  tables: Tables,
  event: Event,
  asked: PreviewRequest,
): Promise<string | undefined> {
  if (event.kind === 'pull_request') return await notePreview(tables, event, asked);
  return event.kind === 'teardown' && asked.matched
    ? await whyNoTeardown(tables, event, asked)
    : undefined;
}

/** What a spec deploys for an event; undefined for none. */
function revisionFor(
  event: Event,
  { spec: { name, repository } }: LoadedSpec,
): Pick<RunSeed, 'event' | 'sha'> | undefined {
  if (event.kind === 'hook' || event.kind === 'schedule') {
    const at = event.revisions?.get(name);
    if (at === undefined || 'problem' in at) return undefined;
    return { event: { kind: event.kind, repository, ref: at.ref }, sha: at.sha };
  }
  if (event.kind === 'pull_request') return { event, sha: event.head };
  return 'sha' in event && event.sha !== undefined ? { event, sha: event.sha } : undefined;
}
