import type { Concurrency } from '../../model/deployment-spec.ts';
import type { Move } from '../../model/push-history.ts';
import type { Run } from '../../model/run.ts';

/** A revision that wants to be deployed. */
export type Candidate = Pick<Run, 'cause' | 'repository' | 'branch' | 'sha'> & {
  /** The moves of its branch that are known, newest first; its own too. */
  moves?: () => Promise<readonly Move[]>;
};

/** What git says of a candidate and of the revision that is deployed, or that waits to be. */
export interface OrderFacts {
  candidate: Pick<Candidate, 'cause' | 'sha'>;
  /** The other revision. */
  other: string;
  /** Whether the other revision has the candidate in its history. */
  contained: boolean;
  /** Whether the lane was taken back from the other revision by hand: then that one itself is not to come again either. */
  isLeft?: boolean;
  /** Where the candidate's branch stands now; undefined for a tag, and for a branch that is gone. */
  head: string | undefined;
  /** Neither revision contains the other, and the branch has the other one in its history, but not the candidate. */
  isDropped?: boolean;
  /** The branch was taken back from the other one to the candidate or to before it, and has the candidate again, but not the other one. */
  isForcedBack?: boolean;
}

/** Why a candidate comes too late: the other revision contains it, or its branch was forced away from it. */
export type Lateness = 'contained' | 'dropped';

/**
 * Whether a candidate would go backwards (G4), and why. Only what an event asks for can: a deployment by hand is a person's
 * decision. A revision that the other one contains came late, unless its branch stands there, or was forced
 * back from the other one and has the candidate since; so did one that its branch was forced away from, to what has the other one. Tags do not move, so the release of an
 * older tag is late too; `rollback` deploys it all the same. The same revision once more is no way back: another trigger or a
 * changed spec may want it, unless the lane was taken back from it by hand. Pure.
 */
export function whyLate(facts: OrderFacts): Lateness | undefined {
  const { candidate, other, contained, isLeft, head, isDropped, isForcedBack } = facts;
  if (candidate.cause !== 'event' || (candidate.sha === other && !isLeft)) return undefined;
  if (head === candidate.sha || isForcedBack) return undefined;
  if (contained) return 'contained';
  return isDropped && head !== undefined ? 'dropped' : undefined;
}

/** What is deployed, and the revision that another came too late for, which may be another after a rollback. */
export interface Overtaken {
  deployed: string;
  later: string;
  why: Lateness;
}

/** Why a run that came too late for what is deployed is superseded. Pure. */
export function lateReason(sha: string, { deployed, later, why }: Overtaken): string {
  const [late, newer, now] = [sha, later, deployed].map((one) => one.slice(0, 7));
  const back = `from which a rollback went back to the deployed ${now}`;
  if (why === 'dropped') {
    const has = later === deployed ? `the deployed ${now}` : `${newer}, ${back}`;
    return `Superseded: ${late} is no longer on its branch, which has ${has}`;
  }
  return later === deployed
    ? `Superseded: ${late} is already contained in the deployed ${now}`
    : `Superseded: ${late} is contained in ${newer}, ${back}`;
}

/** Why a commit that its ref does not lead to is not deployed. Pure. */
export function unreachedReason(ref: string, sha: string, head: string | undefined): string {
  const name = ref.replace(/^refs\/(?:heads|tags)\//, '');
  const kind = ref.startsWith('refs/tags/') ? 'tag' : 'branch';
  const is = head === undefined ? 'is not there' : `is at ${head.slice(0, 7)}`;
  return `Superseded: ${sha.slice(0, 7)} is not on the ${kind} ${name}, which ${is}`;
}

/** That another run, newer, is there already. Pure. */
export function supersededBy(
  newer: Pick<Run, 'id' | 'sha' | 'state'>,
  why = `which is newer and ${newer.state === 'running' ? 'runs' : 'waits'}`,
): string {
  return `Superseded by ${newer.sha.slice(0, 7)} (run ${newer.id}), ${why}`;
}

/**
 * Runs of a spec that wait and are newer than `after`, a run's sequence: what a retry of that run must not keep from
 * being deployed. None with `queue: all`, where every run has its turn. Pure.
 */
export function waitingAfter(
  after: Pick<Run, 'spec' | 'sequence'>,
  active: readonly Run[],
  { queue }: Pick<Concurrency, 'queue'>,
): Run[] {
  if (queue === 'all') return [];
  return active.filter(
    (run) => run.spec === after.spec && run.sequence > after.sequence && run.state !== 'running',
  );
}

/** What a new run means for the others in its lane. */
export interface LaneEffects {
  /** Runs that need not start any more. */
  supersede: Run[];
  /** Runs that are to stop. */
  cancel: Run[];
}

/**
 * Newest wins (G4): a new run supersedes the queued ones before it, unless its spec asks for every run to have its turn;
 * with `cancel-running` it also stops the one that runs, unless it is only a retry of what was there before, or must not
 * start itself. Pure.
 */
export function laneEffects(
  run: Pick<Run, 'id' | 'spec' | 'sequence' | 'cause' | 'state'>,
  active: readonly Run[],
  { queue, cancelRunning }: Concurrency,
): LaneEffects {
  // Specs may share a lane to take turns; only runs of the same spec replace each other.
  const older = active.filter(
    (other) => other.spec === run.spec && other.sequence < run.sequence && other.id !== run.id,
  );
  const cancels = cancelRunning && run.cause !== 'retry' && run.state !== 'blocked';
  return {
    supersede: queue === 'newest' ? older.filter((other) => other.state !== 'running') : [],
    cancel: cancels ? older.filter((other) => other.state === 'running') : [],
  };
}
