/** queued → running → one of the four ends; blocked is what waits and must not start: by a pause or a gate. */
export const RUN_STATES = [
  'queued',
  'blocked',
  'running',
  'succeeded',
  'failed',
  'cancelled',
  'superseded',
] as const;

export type RunState = (typeof RUN_STATES)[number];

export const RUN_ENDS = [
  'succeeded',
  'failed',
  'cancelled',
  'superseded',
] as const satisfies RunState[];

/** What made the run: an event, or an operator's hand. */
export type RunCause = 'event' | 'retry' | 'rollback' | 'replay' | 'deploy';

/** One execution of a spec at a revision in an environment. Times are milliseconds since the epoch. */
export interface Run {
  id: string;
  spec: string;
  /** Which snapshot of the spec it runs. */
  specDigest: string;
  repository: string;
  environment: string;
  lane: string;
  /** Position in time: a higher number is newer. Unique in the store. */
  sequence: number;
  /** The whole ref, e.g. `refs/heads/main`. */
  ref: string;
  branch: string | undefined;
  tag: string | undefined;
  sha: string;
  /** What started it; `deploy`: nothing but an operator, who named the commit. */
  event:
    | 'push'
    | 'release'
    | 'workflow_run'
    | 'hook'
    | 'schedule'
    | 'deployment'
    | 'pull_request'
    | 'teardown'
    | 'deploy'
    | 'deployment_protection_rule';
  delivery: string;
  /** The run that has gathered its events, by its id: itself, or the one that it repeats. Undefined: it has one event alone. */
  batch: string | undefined;
  cause: RunCause;
  state: RunState;
  /** Why it is in this state, for people; at most 500 characters. */
  reason: string;
  /** Set on `failed`: whose fault. On GitHub `step` becomes `failure`, `mainsheet` becomes `error`. */
  fault: 'step' | 'mainsheet' | undefined;
  /** It is to stop; the runner sees it at its next heartbeat. Holds the reason. */
  cancelRequested: string | undefined;
  /** How often a process has taken it up. */
  attempts: number;
  /** Secrets in them are masked. */
  outputs: Record<string, string>;
  /** The names of those outputs in which a secret is masked; undefined when there are none: they are not what the steps put out. */
  maskedOutputs: readonly string[] | undefined;
  createdAt: number;
  startedAt: number | undefined;
  finishedAt: number | undefined;
}

/** A run before the store has given it its place in the order. */
export type NewRun = Omit<Run, 'sequence'>;

/** A run for which nothing was done yet: what it is, beside what every new run has. Pure. */
export function newRun(run: Omit<NewRun, keyof typeof NOTHING_DONE>): NewRun {
  return { ...run, ...NOTHING_DONE };
}

const NOTHING_DONE = {
  state: 'queued' as const,
  fault: undefined,
  cancelRequested: undefined,
  attempts: 0,
  outputs: {},
  maskedOutputs: undefined,
  startedAt: undefined,
  finishedAt: undefined,
};

export type StepState = 'pending' | 'running' | 'succeeded' | 'failed' | 'cancelled' | 'skipped';

export interface Step {
  index: number;
  name: string;
  state: StepState;
  attempts: number;
  exitCode: number | undefined;
  reason: string;
  startedAt: number | undefined;
  finishedAt: number | undefined;
  /** What it has started elsewhere, as its kind writes it down. */
  kept?: string | undefined;
}

/** The name of a step to which its spec gives none. `index`: from 0. */
export function stepNumber(index: number): string {
  return `Step ${index + 1}`;
}

/** How one speaks of a step: `Step "Build"`, or `Step 2` of one without a name. */
export function stepTitle({ index, name }: Pick<Step, 'index' | 'name'>): string {
  return name === stepNumber(index) ? name : `Step "${name}"`;
}

/** Whether it waits for more events, or has: a run that repeats one of these has its events. */
export function isGathering({ id, batch, state }: Pick<Run, 'id' | 'batch' | 'state'>): boolean {
  return batch === id && state === 'blocked';
}

export function hasEnded(state: RunState): boolean {
  return (RUN_ENDS as readonly RunState[]).includes(state);
}
