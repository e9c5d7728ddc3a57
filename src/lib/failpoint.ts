/** Places at which the chaos tests may kill the process: around every transaction and every callback. */
export const FAILPOINTS = [
  // A delivery's commit, before and after it.
  'accept.before',
  'accept.after',
  // The transaction that turns a delivery into runs.
  'intake.before',
  'intake.inside',
  // In it: a delivery comes that was judged together with the one before it.
  'intake.together',
  'intake.after',
  // The transaction that takes a run.
  'start.before',
  'start.inside',
  'start.after',
  // Any change of a run's state: its row is written, its callbacks are not.
  'change.inside',
  // An answer to a gate: its row is written, what it means for the run is not; and both are.
  'gate.inside',
  'gate.after',
  // A step's row.
  'step.before',
  'step.inside',
  'step.after',
  // The transaction that ends a run.
  'end.before',
  'end.after',
  // A callback is taken, about to be sent, sent but not yet noted, and noted.
  'callback.claimed',
  'callback.before',
  'callback.sent',
  'callback.finished',
] as const;

export type FailpointName = (typeof FAILPOINTS)[number];

/** At which pass of a place the process is to die, 1 for the first. */
export type FailpointPlan = ReadonlyMap<FailpointName, number>;

/** Says that the process is at this place. */
export type Failpoint = (name: FailpointName) => void;

/** What a process has whose end is not planned. */
export const noFailpoint: Failpoint = () => {};

/** Kills this process with SIGKILL, which nothing in it can notice, when it comes to a planned place. */
export function createFailpoint(plan: FailpointPlan): Failpoint {
  if (plan.size === 0) return noFailpoint;
  const left = new Map(plan);
  return (name) => {
    const passes = (left.get(name) ?? 0) - 1;
    left.set(name, passes);
    if (passes === 0) process.kill(process.pid, 'SIGKILL');
  };
}

/** Reads `name` and `name:pass`, separated by commas. Undefined when a name is none, or a pass no number from 1. */
export function parseFailpoints(text: string): FailpointPlan | undefined {
  const plan = new Map<FailpointName, number>();
  for (const part of text.split(',')) {
    const [, wanted, pass = '1'] = /^([a-z.]+)(?::([1-9]\d{0,5}))?$/.exec(part.trim()) ?? [];
    const name = FAILPOINTS.find((known) => known === wanted);
    if (name === undefined) return undefined;
    plan.set(name, Number(pass));
  }
  return plan;
}
