import { createHash } from 'node:crypto';
import type { CommitFacts } from '../git/commit-facts.ts';
import type { Json } from '../model/event.ts';

/** A branch that was found elsewhere than it was last seen. */
export interface BranchMove {
  repository: string;
  /** The whole ref. */
  ref: string;
  /** Undefined for a new branch. */
  before: string | undefined;
  after: string;
  /** Since when it was known to be at `before`, in milliseconds since the epoch; of a new branch the last push that was known. */
  since: number;
}

const ZERO = '0'.repeat(40);
const PREFIX = 'reconcile-';

/** The same for the same move, whoever finds it and how often; another one when the branch makes the move again later. */
export function deliveryIdOf({ repository, ref, before, after, since }: BranchMove): string {
  const move = JSON.stringify([repository.toLowerCase(), ref, before ?? ZERO, after, since]);
  return PREFIX + createHash('sha256').update(move).digest('hex').slice(0, 32);
}

/** Whether a delivery was made by looking at branches, and not by GitHub. */
export function isFound(delivery: string): boolean {
  return delivery.startsWith(PREFIX);
}

/**
 * The payload that GitHub would have sent for the move, as far as git knows it:
 * https://docs.github.com/en/webhooks/webhook-events-and-payloads#push. Without commits, so that whoever wants to know the
 * changed files asks git.
 */
export function pushPayload(
  move: BranchMove,
  head: CommitFacts,
  forced: boolean,
): Record<string, Json> {
  const [owner = '', name = ''] = move.repository.split('/');
  return {
    ref: move.ref,
    before: move.before ?? ZERO,
    after: move.after,
    created: move.before === undefined,
    deleted: false,
    forced,
    base_ref: null,
    commits: [],
    head_commit: {
      id: move.after,
      message: head.message,
      timestamp: head.committedAt,
      author: head.author,
      committer: head.committer,
    },
    repository: { name, full_name: move.repository, owner: { login: owner } },
    pusher: head.committer,
    sender: { login: 'mainsheet', type: 'Bot' },
  };
}
