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
  /** Neither revision contains the other, and the branch has the other one in its history, but not the candidate. */
  isDropped?: boolean;
}

/** Why a candidate comes too late: the other revision contains it, or its branch was forced away from it. */
export type Lateness = 'contained' | 'dropped';

/**
 * Whether a candidate would go backwards (G4), and why. Only what an event asks for can: a deployment by hand is somebody's
 * decision. A revision that the other one contains came late, unless its branch was forced back to it and still stands
 * there; so did one that its branch was forced away from, to what has the other one. Tags do not move, so the release of an
 * older tag is late too; `rollback` deploys it all the same. The same revision once more is no way back: another trigger or a
 * changed spec may want it, unless somebody went back from it by hand. Pure.
 */
export function whyLate(facts: OrderFacts): Lateness | undefined {
  const { candidate, other, contained, isLeft, head, isDropped } = facts;
  if (candidate.cause !== 'event' || (candidate.sha === other && !isLeft)) return undefined;
  if (head === candidate.sha) return undefined;
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
  const back = `from which somebody went back to the deployed ${now}`;
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

/** Asks git, of which two revisions is the later one. */
export interface Order {
  /** Why a run that an event made must not deploy its commit, which its ref does not lead to on the server now; else undefined. */
  whyUnreached(
    run: Pick<Run, 'cause' | 'repository' | 'ref' | 'sha'>,
    signal: AbortSignal,
  ): Promise<string | undefined>;
  /** Why deploying `candidate` after `other` would go backwards, if so. Throws RetryableError while git cannot be reached. */
  whyLate(
    candidate: Candidate,
    other: string,
    signal: AbortSignal,
    isLeft?: boolean,
  ): Promise<Lateness | undefined>;
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
): Promise<{ sha: string; why: Lateness } | undefined> {
  if (candidate.cause !== 'event') return undefined;
  const late = await deps.order.whyLate(candidate, other.sha, signal);
  if (late !== undefined) return { sha: other.sha, why: late };
  for (const sha of await deps.runs.leftBehind(other.run)) {
    const why = await deps.order.whyLate(candidate, sha, signal, true);
    if (why !== undefined) return { sha, why };
  }
  return undefined;
}

/** Nothing is asked that does not matter: the server's branches not when the candidate goes on from the other revision. */
export function createOrder(deps: {
  mirrors: Pick<Mirrors, 'isAncestor' | 'heads' | 'standing'>;
}): Order {
  const { mirrors } = deps;

  return {
    async whyUnreached({ cause, repository, ref, sha }, signal) {
      // A workflow may have run for no branch: then intake has looked for one.
      if (cause !== 'event' || !ref.startsWith('refs/')) return undefined;
      const { head, reached } = await mirrors.standing(repository, ref, sha, { signal });
      return reached === true ? undefined : unreachedReason(ref, sha, head);
    },

    async whyLate(candidate, other, signal, isLeft = false) {
      const { cause, repository, branch, sha } = candidate;
      const isSame = sha === other;
      if (cause !== 'event' || (isSame && !isLeft)) return undefined;

      async function isIn(ancestor: string, descendant: string): Promise<boolean> {
        try {
          return await mirrors.isAncestor(repository, ancestor, descendant, { signal });
        } catch (error) {
          // It was forced away and is gone: nobody knows what it had.
          if (error instanceof TerminalError && error.code === 'commit-missing') return false;
          throw error;
        }
      }

      const contained = isSame || (await isIn(sha, other));
      const goesOn = !contained && (branch === undefined || (await isIn(other, sha)));
      if (goesOn) return undefined;
      const heads = branch === undefined ? undefined : await mirrors.heads(repository, { signal });
      const head = branch === undefined ? undefined : heads?.get(branch);
      const isDropped =
        !contained &&
        head !== undefined &&
        head !== sha &&
        (head === other || (!(await isIn(sha, head)) && (await isIn(other, head))));
      return whyLate({ candidate, other, contained, isLeft, head, isDropped });
    },
  };
}
