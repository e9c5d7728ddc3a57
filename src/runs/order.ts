import { TerminalError } from '../lib/errors.ts';
import type { Mirrors } from '../git/mirrors.ts';
import type { Run } from '../model/run.ts';
import type { Runs } from '../store/runs.ts';

/** A revision that wants to be deployed. */
export type Candidate = Pick<Run, 'cause' | 'repository' | 'branch' | 'sha'>;

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
}

/**
 * Whether a candidate would go backwards (G4). Only what an event asks for can: a deployment by hand is somebody's
 * decision. A revision that the other one contains came late, unless its branch was forced back to it and still stands
 * there. Tags do not move, so the release of an older tag is late too; `rollback` deploys it all the same. The same
 * revision once more is no way back: another trigger or a changed spec may want it, unless somebody went back from it by
 * hand. Pure.
 */
export function isLate({ candidate, other, contained, isLeft, head }: OrderFacts): boolean {
  if (candidate.cause !== 'event' || (candidate.sha === other && !isLeft)) return false;
  return contained && head !== candidate.sha;
}

/** Asks git, of which two revisions is the later one. */
export interface Order {
  /** Whether deploying `candidate` after `other` would go backwards. Throws RetryableError while git cannot be reached. */
  isLate(
    candidate: Candidate,
    other: string,
    signal: AbortSignal,
    isLeft?: boolean,
  ): Promise<boolean>;
}

/**
 * The revision that a candidate comes too late for; undefined when it does not: that of `other`, a run that was deployed or
 * waits to be, or one that the lane had before somebody took it back to `other` by hand. So what lies between the two does
 * not undo a rollback, while what is newer than both, or where its branch stands, moves forward again.
 */
export async function laterThan(
  deps: { order: Order; runs: Pick<Runs, 'leftBehind'> },
  candidate: Candidate,
  other: { run: string; sha: string },
  signal: AbortSignal,
): Promise<string | undefined> {
  if (candidate.cause !== 'event') return undefined;
  if (await deps.order.isLate(candidate, other.sha, signal)) return other.sha;
  for (const left of await deps.runs.leftBehind(other.run)) {
    if (await deps.order.isLate(candidate, left, signal, true)) return left;
  }
  return undefined;
}

/** Nothing is asked that does not matter: the server's branches only when the candidate is contained. */
export function createOrder(deps: { mirrors: Pick<Mirrors, 'isAncestor' | 'heads'> }): Order {
  const { mirrors } = deps;

  async function isContained(candidate: Candidate, other: string, signal: AbortSignal) {
    try {
      return await mirrors.isAncestor(candidate.repository, candidate.sha, other, { signal });
    } catch (error) {
      // The other one was forced away and is gone: nothing says that the candidate is older.
      if (error instanceof TerminalError && error.code === 'commit-missing') return false;
      throw error;
    }
  }

  return {
    async isLate(candidate, other, signal, isLeft = false) {
      const isSame = candidate.sha === other;
      if (candidate.cause !== 'event' || (isSame && !isLeft)) return false;
      const contained = isSame || (await isContained(candidate, other, signal));
      const { branch } = candidate;
      const asksHead = contained && branch !== undefined;
      const heads = asksHead ? await mirrors.heads(candidate.repository, { signal }) : undefined;
      const head = branch === undefined ? undefined : heads?.get(branch);
      return isLate({ candidate, other, contained, isLeft, head });
    },
  };
}
