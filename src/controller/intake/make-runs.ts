import { isoTime, type Clock } from '../../lib/clock.ts';
import { newId } from '../../lib/ids.ts';
import type { BatchSpec, LoadedSpec } from '../../model/deployment-spec.ts';
import type { Pause } from '../../model/pause.ts';
import { isProtection } from '../../model/protection.ts';
import { isGathering, type NewRun, type Run, type RunCause } from '../../model/run.ts';
import type { Event } from '../../model/event.ts';
import { overtakenInLane } from '../../runs/ordering/ordering.ts';
import { blockedAsMade, planRun, supersededAsMade, type RunSeed } from '../../runs/plan.ts';
import type { Transitions } from '../../runs/transition.ts';
import { failed, type Verdict } from '../../model/verdict.ts';
import { ROLLBACK } from '../../spec/match-hook.ts';
import type { Tables } from '../../store/index.ts';
import type { HookRollback } from '../operator/hook-rollback.ts';
import { notePreview, whyNoTeardown, type PreviewRequest } from '../previews/note-preview.ts';
import type { Judged } from './judge.ts';

/** Payloads of one batch together, in bytes: what comes on top begins the next one. */
const MOST_BYTES = 32 * 1024 * 1024;

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

/** An event of a spec that gathers them, as the run that it would have alone. */
interface Gathered {
  planned: NewRun;
  loaded: LoadedSpec;
  batch: BatchSpec;
  /** Events of a spec with the same one go together. */
  key: string;
  /** Why its revision is not to be deployed: a newer one is, or waits to be. */
  late: string | undefined;
  now: number;
}

/** The run that has the event, with the place that it has there; and every run that changed, that one first. */
interface Taken {
  changed: Run[];
  note: string | undefined;
}

/**
 * Gives an event to the run that gathers them, or makes one. The run has the newest revision of its events, and goes on when its
 * time is over (`Transitions.hold`) or when it is full. Nothing changes for an event that a batch of the spec has already (G2).
 */
async function gather(
  transitions: Pick<Transitions, 'create' | 'endGathering'>,
  tables: Tables,
  event: Gathered,
): Promise<Taken> {
  const { planned, loaded, batch, key, late, now } = event;
  const { spec, delivery, lane } = planned;
  await tables.pauses.lock('to make runs');
  await tables.runs.lockLane(lane);
  if (await tables.batches.has(spec, delivery)) return { changed: [], note: undefined };
  const bytes = await tables.batches.sizeOf(delivery);
  const open = await tables.batches.open(spec, lane, key);
  const run = open && (await tables.runs.get(open.run));
  // Batches of a lane go on in the order in which they began: none may be left behind by the revision of one before it.
  const newer = await tables.batches.newerRevision(planned);
  if (open === undefined || run === undefined) return await begin();
  const isFull = open.events > 0 && open.bytes + bytes > MOST_BYTES;
  if (isFull || now >= open.closesAt || run.specDigest !== planned.specDigest) {
    const ended = await endBatch(run);
    const { changed, note } = await begin();
    return { changed: [...changed, ...ended], note };
  }
  return await join(run, open.events + 1, open.closesAt);

  async function begin(): Promise<Taken> {
    if (late !== undefined) {
      const made = await transitions.create(tables, supersededAsMade(planned, late), loaded);
      return { changed: made, note: undefined };
    }
    const closesAt = now + batch.windowMs;
    const sha = newer ?? planned.sha;
    const waiting = blockedAsMade({ ...planned, sha }, reasonOf(1, batch, closesAt));
    const made = await transitions.create(tables, { ...waiting, batch: planned.id }, loaded);
    if (made.length === 0) return { changed: [], note: undefined };
    await tables.batches.begin({ run: planned.id, spec, lane, key, closesAt });
    await tables.gates.lookAt(planned.id, closesAt);
    await tables.batches.add(planned.id, spec, delivery, bytes);
    if (newer === undefined) await tables.batches.moveOpen(planned);
    return { changed: made, note: noteOf(1, planned.id) };
  }

  async function join(gathering: Run, count: number, closesAt: number): Promise<Taken> {
    const isNewest =
      late === undefined && !(await tables.batches.cameBefore(delivery, gathering.delivery));
    const { repository, ref, branch, tag, event: kind } = planned;
    const sha = newer ?? planned.sha;
    const revision = { repository, ref, branch, tag, sha, event: kind, delivery };
    const next = {
      ...gathering,
      ...(isNewest ? revision : {}),
      reason: reasonOf(count, batch, closesAt),
    };
    await tables.runs.move(next);
    await tables.batches.add(gathering.id, spec, delivery, bytes);
    if (isNewest && newer === undefined) await tables.batches.moveOpen(planned);
    const changed = count < batch.most ? [next] : await endBatch(next);
    return { changed, note: noteOf(count, gathering.id) };
  }

  async function endBatch(gathering: Run): Promise<Run[]> {
    // What has ended otherwise has closed its batch.
    return isGathering(gathering) ? await transitions.endGathering(tables, gathering) : [];
  }
}

function reasonOf(count: number, { most }: BatchSpec, closesAt: number): string {
  return `Gathering events until ${isoTime(closesAt)}: ${count} of at most ${most}`;
}

function noteOf(count: number, run: string): string {
  return `event ${count} of the batch that run ${run} has`;
}
