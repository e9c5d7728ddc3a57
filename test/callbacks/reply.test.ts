import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RequestError } from '@octokit/request-error';
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

function forbidden(): RequestError {
  const request = { method: 'POST' as const, url: 'https://api.github.com', headers: {} };
  return new RequestError('Resource not accessible by integration', 403, { request });
}

/** Sends the answer to a pull request with these comments. */
async function send(
  comments: { body: string }[],
  retried: boolean,
  { message = MESSAGE, mayReact = true }: { message?: ReplyCallback; mayReact?: boolean } = {},
): Promise<string[]> {
  const asked: string[] = [];
  const octokit = {
    async request(route: string, { body }: { body?: string }) {
      asked.push(route.replace(/\/repos\/\{owner\}\/\{repo\}\/(issues\/)?/, ''));
      if (route.endsWith('/reactions') && !mayReact) throw forbidden();
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
  await reply.send(message, way);
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

test('an answer on a commit is written also where the App may not react, and no more than once', async () => {
  const message: ReplyCallback = { ...MESSAGE, pull: undefined, commit: 'a'.repeat(40) };
  const comments: { body: string }[] = [];
  const REACT = 'POST comments/{comment_id}/reactions';
  const READ = 'GET commits/{commit_sha}/comments';
  const WRITE = 'POST commits/{commit_sha}/comments';
  assert.deepEqual(await send(comments, false, { message, mayReact: false }), [REACT, WRITE]);
  assert.deepEqual(await send(comments, true, { message }), [REACT, READ]);
  assert.equal(comments.length, 1);
});
