import type { KeptDelivery } from '../../../src/store/inbox.ts';
import type { OutboxEntry, OutboxState } from '../../../src/store/outbox.ts';
import { hasEnded, type Run, type RunState } from '../../../src/model/run.ts';
import type { LoadedSpec } from '../../../src/model/deployment-spec.ts';

/** How long every claim lasts, in milliseconds. */
export const LEASE_MS = 100;
/** What every delivery is closed with. */
export const OUTCOME = { summary: '', specs: [] };

/** What the store is thought to hold: no more than is needed to know which answer each command must get. */
export interface Model {
  now: number;
  /** In the order of arrival. */
  deliveries: DeliveryModel[];
  /** In the order in which they were made. */
  runs: RunModel[];
  /** In the order in which they were written. */
  callbacks: CallbackModel[];
  /** Every claim that was ever got: also those that were lost or given back, because their holders may come again. */
  holds: Hold[];
  /** The processes, by the name under which each of them owns runs. One that died comes back under another name. */
  workers: string[];
  /** What is deployed: the run, by lane and spec. */
  deployed: Map<string, string>;
  /** The rows of runs that have ended, as they were then. */
  ended: Map<string, Run>;
}

interface Claimable {
  attempts: number;
  leaseUntil: number;
  dueAt: number;
}

export interface DeliveryModel extends Claimable {
  id: string;
  repository: string;
  state: 'pending' | 'processed' | 'failed';
  deferred: boolean;
}

export interface RunModel {
  id: string;
  loaded: LoadedSpec;
  sha: string;
  delivery: string;
  cause: Run['cause'];
  state: RunState;
  fault: Run['fault'];
  /** Every state that it was in, the present one last. */
  history: RunState[];
  holder: string | undefined;
  leaseUntil: number;
  attempts: number;
  cancelRequested: boolean;
}

export interface CallbackModel extends Claimable {
  id: number;
  target: string;
  state: OutboxState;
}

export type Hold =
  | { kind: 'delivery'; worker: string; alive: boolean; claimed: KeptDelivery }
  | { kind: 'callback'; worker: string; alive: boolean; entry: OutboxEntry }
  | { kind: 'run'; worker: string; alive: boolean; run: string };

export function emptyModel(): Model {
  return {
    now: 1_000_000,
    deliveries: [],
    runs: [],
    callbacks: [],
    holds: [],
    workers: ['w0', 'w1', 'w2'],
    deployed: new Map(),
    ended: new Map(),
  };
}

/**
 * Deliveries that may be claimed: the first open one of each repository, when it is due and not claimed; and those behind one that
 * is deferred while it waits.
 */
export function claimableDeliveries({ deliveries, now }: Model): DeliveryModel[] {
  return deliveries.filter(
    (one, index) =>
      one.state === 'pending' &&
      isFree(one, now) &&
      !deliveries
        .slice(0, index)
        .some(
          (other) =>
            other.state === 'pending' &&
            other.repository === one.repository &&
            (!other.deferred || other.dueAt <= now || other.leaseUntil > now),
        ),
  );
}

/** Callbacks that may be claimed: the first open one of each target, when it is due and not claimed. */
export function claimableCallbacks({ callbacks, now }: Model): CallbackModel[] {
  return callbacks.filter(
    (one, index) =>
      one.state === 'pending' &&
      isFree(one, now) &&
      !callbacks
        .slice(0, index)
        .some((other) => other.state === 'pending' && other.target === one.target),
  );
}

/** Runs that a worker may take: the first of its lane where nothing runs, or one whose holder's lease has ended. */
export function claimableRuns(model: Model, worker: string): RunModel[] {
  const mine = new Set(
    model.holds.flatMap((hold) =>
      hold.kind === 'run' && hold.alive && hold.worker === worker ? [hold.run] : [],
    ),
  );
  return model.runs.filter((run, index) => {
    if (mine.has(run.id)) return false;
    if (run.state === 'running') return run.leaseUntil <= model.now;
    const ahead = model.runs.filter(
      (other, place) =>
        laneOf(other) === laneOf(run) &&
        !hasEnded(other.state) &&
        (place < index || other.state === 'running'),
    );
    return run.state === 'queued' && ahead.length === 0;
  });
}

/** A new run, and what it does to those before it in its lane: the rule "newest wins", read aloud. */
export function addRun(model: Model, run: RunModel): void {
  const { name, concurrency } = run.loaded.spec;
  const older = model.runs.filter((other) => other.loaded.spec.name === name);
  model.runs.push(run);
  if (hasEnded(run.state)) return;
  for (const other of older) {
    if (other.state === 'queued' && concurrency.queue === 'newest') move(other, 'superseded');
    if (other.state === 'running' && concurrency.cancelRunning && run.cause !== 'retry') {
      other.cancelRequested = true;
    }
  }
}

export function move(run: RunModel, state: RunState): void {
  run.state = state;
  run.history.push(state);
}

export function laneOf(run: RunModel): string {
  return run.loaded.spec.concurrency.lane;
}

function isFree({ dueAt, leaseUntil }: Claimable, now: number): boolean {
  return dueAt <= now && leaseUntil <= now;
}
