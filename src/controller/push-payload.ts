import { createHash } from 'node:crypto';
import type { CommitFacts } from '../git/history.ts';
import type { Json } from '../model/event.ts';
import { elsewhere } from '../lib/names.ts';
import { NO_COMMIT } from '../model/push-history.ts';
import { serverEventName } from '../model/server-event.ts';

/** A branch that was found elsewhere than it was last seen. */
export interface BranchMove {
  repository: string;
  /** The whole ref. */
  ref: string;
  /** `NO_COMMIT` for a new branch. */
  before: string;
  after: string;
  /** The number of the last push that was told of before. */
  since: number;
}

/** The event of a delivery with such a payload. */
export function pushEventName(repository: string): string {
  const place = elsewhere(repository);
  return place === undefined ? 'push' : serverEventName(place.server, 'push');
}

/** Another one when the branch makes the same move again later. */
export function deliveryIdOf({ repository, ref, before, after, since }: BranchMove): string {
  const move = JSON.stringify([repository.toLowerCase(), ref, before, after, since]);
  return `reconcile-${createHash('sha256').update(move).digest('hex').slice(0, 32)}`;
}

/**
 * The payload that GitHub would have sent for the move, as far as git knows it:
 * https://docs.github.com/en/webhooks/webhook-events-and-payloads#push. Without commits, so that who wants to know the
 * changed files asks git.
 */
export function pushPayload(
  move: BranchMove,
  head: CommitFacts,
  forced: boolean,
): Record<string, Json> {
  const path = elsewhere(move.repository)?.path ?? move.repository;
  const [owner = '', name = ''] = path.split('/');
  return {
    ref: move.ref,
    before: move.before,
    after: move.after,
    created: move.before === NO_COMMIT,
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
    repository: { name, full_name: path, owner: { login: owner } },
    pusher: head.committer,
    sender: { login: 'mainsheet', type: 'Bot' },
  };
}
