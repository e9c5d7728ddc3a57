import { TerminalError } from '../../lib/errors.ts';
import type { Mirrors } from '../../git/mirrors.ts';
import { NO_COMMIT } from '../../model/push-history.ts';
import { whyLate, type Candidate, type Lateness } from './rules.ts';

export type OrderMirrors = Pick<Mirrors, 'isAncestor' | 'heads' | 'standing'>;

/**
 * Why deploying `candidate` after `other` would go backwards, if so. Nothing is asked that does not matter: the server's
 * branches not when the candidate goes on from the other revision. Throws RetryableError while git cannot be reached.
 */
export async function askWhyLate(
  mirrors: Pick<OrderMirrors, 'isAncestor' | 'heads'>,
  candidate: Candidate,
  { sha: other, isLeft = false }: { sha: string; isLeft?: boolean },
  signal: AbortSignal,
): Promise<Lateness | undefined> {
  const { cause, repository, branch, sha, moves } = candidate;
  const isSame = sha === other;
  if (cause !== 'event' || (isSame && !isLeft)) return undefined;

  /** Undefined where the descendant was forced away and is gone: what it had is not known. */
  async function isIn(ancestor: string, descendant: string): Promise<boolean | undefined> {
    try {
      return await mirrors.isAncestor(repository, ancestor, descendant, { signal });
    } catch (error) {
      if (error instanceof TerminalError && error.code === 'commit-missing') return undefined;
      throw error;
    }
  }

  /** Whether a push has taken the branch from the other revision to the candidate, or to what the branch can have come to the candidate from. */
  async function wasTakenBack(): Promise<boolean> {
    for (const { before, after } of (await moves?.()) ?? []) {
      if (before === NO_COMMIT || after === NO_COMMIT) continue;
      const hadOther = before === other || (await isIn(other, before)) === true;
      if (hadOther && (after === sha || (await isIn(sha, after)) === false)) return true;
    }
    return false;
  }

  const contained = isSame || (await isIn(sha, other)) === true;
  const goesOn = !contained && (branch === undefined || (await isIn(other, sha)) === true);
  if (goesOn) return undefined;
  const heads = branch === undefined ? undefined : await mirrors.heads(repository, { signal });
  const head = branch === undefined ? undefined : heads?.get(branch);
  const isDropped =
    !contained &&
    head !== undefined &&
    head !== sha &&
    (head === other || (!(await isIn(sha, head)) && (await isIn(other, head)) === true));
  const isForcedBack =
    contained &&
    head !== undefined &&
    head !== sha &&
    (await isIn(sha, head)) === true &&
    !(await isIn(other, head)) &&
    (await wasTakenBack());
  return whyLate({ candidate, other, contained, isLeft, head, isDropped, isForcedBack });
}
