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
  const { cause, repository, branch, sha, before } = candidate;
  const isSame = sha === other;
  if (cause !== 'event' || (isSame && !isLeft)) return undefined;

  async function isIn(ancestor: string, descendant: string): Promise<boolean> {
    try {
      return await mirrors.isAncestor(repository, ancestor, descendant, { signal });
    } catch (error) {
      // It was forced away and is gone: what it had is not known.
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
  const isForcedBack =
    contained &&
    before !== undefined &&
    before !== NO_COMMIT &&
    head !== undefined &&
    head !== sha &&
    (before === other || (await isIn(other, before))) &&
    (await isIn(sha, head)) &&
    !(await isIn(other, head));
  return whyLate({ candidate, other, contained, isLeft, head, isDropped, isForcedBack });
}
