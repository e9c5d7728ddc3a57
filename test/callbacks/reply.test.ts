import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Way } from '../../src/callbacks/contract.ts';
import { reply, type ReplyCallback } from '../../src/callbacks/reply.ts';

const MESSAGE: ReplyCallback = {
  kind: 'reply',
  repository: 'acme/shop',
  pull: 12,
  comment: 99,
  reaction: '+1',
  text: 'Done',
};

/** Sends the answer to a pull request with these comments. */
async function send(comments: { body: string }[], retried: boolean): Promise<string[]> {
  const asked: string[] = [];
  const octokit = {
    async request(route: string, { body }: { body?: string }) {
      asked.push(route.replace('/repos/{owner}/{repo}/issues/', ''));
      if (route.startsWith('GET')) {
        return { data: route.endsWith('}') ? { created_at: '2026-01-01T00:00:00Z' } : comments };
      }
      if (body !== undefined) comments.push({ body });
      return { data: {} };
    },
  };
  const way = {
    retried,
    github: async (_repository: string, _doing: string, act: (...given: unknown[]) => unknown) =>
      await act(octokit, { owner: 'acme', repo: 'shop' }),
  } as unknown as Way;
  await reply.send(MESSAGE, way);
  return asked;
}

test('an answer is a reaction and a comment; one that has arrived is not written twice', async () => {
  const comments: { body: string }[] = [];
  const REACT = 'POST comments/{comment_id}/reactions';
  const WRITE = 'POST {issue_number}/comments';
  assert.deepEqual(await send(comments, false), [REACT, WRITE]);
  assert.ok(!(await send(comments, true)).includes(WRITE));
  assert.equal(comments.length, 1);
});
