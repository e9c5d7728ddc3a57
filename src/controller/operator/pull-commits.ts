import { isSha } from '../../lib/names.ts';
import type { Json } from '../../model/event.ts';

/** A commit of a pull request. */
export interface PullCommit {
  sha: string;
  /** `merged`: the commit that brought it into the branch · `head`: the newest of its own. */
  role: 'merged' | 'head';
}

/**
 * The commits that payloads, the newest first, tell of a pull request: what merged it, then its newest. By its own events, and by
 * what GitHub, GitLab and Bitbucket write into the message of a commit that merges one. Everything in a payload is whatever the
 * sender put there. Pure.
 */
export function pullCommits(payloads: readonly Json[], number: number): PullCommit[] {
  const merged = new Set<string>();
  const heads: string[] = [];
  for (const payload of payloads) {
    const body = fields(payload);
    const pull = fields(body['pull_request']);
    if (pull['number'] === number) {
      const head = fields(pull['head'])['sha'];
      if (isSha(head)) heads.push(head);
      // Of one that is open it is a commit that only tries the merge.
      if (pull['merged'] === true && isSha(pull['merge_commit_sha'])) {
        merged.add(pull['merge_commit_sha']);
      }
    }
    for (const sha of mergesIn(body, number)) merged.add(sha);
  }
  const [head] = heads;
  return [
    ...[...merged].map((sha): PullCommit => ({ sha, role: 'merged' })),
    ...(head === undefined || merged.has(head) ? [] : [{ sha: head, role: 'head' } as const]),
  ];
}

function mergesIn(body: Readonly<Record<string, unknown>>, number: number): string[] {
  const { commits, head_commit: head } = body;
  const all = [head, ...(Array.isArray(commits) ? commits : [])].map(fields);
  return all.flatMap(({ id, message }) =>
    isSha(id) && typeof message === 'string' && saysMerge(message, number) ? [id] : [],
  );
}

/** `Merge pull request #12 from …`, `A title (#12)`; `See merge request acme/shop!12` (GitLab); `… (pull request #12)` (Bitbucket). */
function saysMerge(message: string, number: number): boolean {
  const [title = ''] = message.split('\n', 1);
  return (
    title.startsWith(`Merge pull request #${number} `) ||
    title.trimEnd().endsWith(`(#${number})`) ||
    title.trimEnd().endsWith(`(pull request #${number})`) ||
    new RegExp(`^See merge request \\S*!${number}$`, 'm').test(message)
  );
}

function fields(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
