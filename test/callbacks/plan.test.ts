import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { isObsolete } from '../../src/callbacks/index.ts';
import { planCheck, type PlanCheckCallback } from '../../src/callbacks/plan-check.ts';
import { planComment, type PlanCommentCallback } from '../../src/callbacks/plan-comment.ts';
import { createSender } from '../../src/callbacks/send.ts';
import type { Message } from '../../src/callbacks/contract.ts';
import { startStandIn, type Received, type Reply } from '../github/stand-in.ts';
import { connect, createTestClock } from '../github/support.ts';

const SHA = 'a'.repeat(40);
const REPOSITORY = 'acme/shop';
const comment = (text = 'text'): PlanCommentCallback => ({
  kind: 'plan-comment',
  repository: REPOSITORY,
  plan: 'p1',
  pull: 12,
  sha: SHA,
  text,
});
const check = (sha = SHA): PlanCheckCallback => ({
  kind: 'plan-check',
  repository: REPOSITORY,
  plan: 'p1',
  sha,
  conclusion: 'failure',
  title: '1 problem',
  text: 'text',
  annotations: [
    {
      path: 'specs/a.yaml',
      start_line: 3,
      end_line: 3,
      start_column: 2,
      end_column: 2,
      annotation_level: 'failure',
      message: 'unknown key',
    },
  ],
});
const MARK = '<!-- mainsheet: plan p1 -->';

/** Sends it to a GitHub that answers so, and tells which requests it got. */
async function sent(
  t: TestContext,
  callback: PlanCommentCallback | PlanCheckCallback,
  told: Record<string, number>,
  answer: (request: Received) => Reply,
) {
  const server = await startStandIn(t, answer);
  const clock = createTestClock();
  const { github } = connect(server.url, { clock });
  const sources = { store: { outbox: { number: async (name: string) => told[name] } } } as never;
  const message: Message =
    callback.kind === 'plan-check'
      ? await planCheck.render(callback, {} as never, sources)
      : await planComment.render(callback, {} as never, sources);
  const signal = new AbortController().signal;
  const { id } = await createSender({ github, clock }).send(message, {
    retried: false,
    ageMs: 0,
    signal,
  });
  return { id, requests: server.requests.map(({ method, path }) => `${method} ${path}`), server };
}

const COMMENTS = `/repos/${REPOSITORY}/issues/12/comments`;
const list = (...bodies: string[]): Reply => ({
  status: 200,
  body: bodies.map((body, index) => ({ id: 100 + index, body })),
});

test('a comment that GitHub has is changed', async (t) => {
  const { id, requests, server } = await sent(t, comment(), { 'plan-comment:p1': 5 }, () => ({
    status: 200,
    body: { id: 5 },
  }));
  assert.equal(id, 5);
  assert.deepEqual(requests, [`PATCH /repos/${REPOSITORY}/issues/comments/5`]);
  assert.deepEqual(server.requests[0]?.body, { body: `text\n\n${MARK}` });
});

test('one whose number is not known is looked for by its mark before it is made', async (t) => {
  const answer = (found: Reply) => (request: Received) =>
    request.method === 'GET' ? found : { status: 201, body: { id: 101 } };
  const there = await sent(t, comment(), {}, answer(list('hello', `old\n\n${MARK}`)));
  assert.deepEqual([there.id, there.requests.length], [101, 2]);
  assert.equal(there.requests[1], `PATCH /repos/${REPOSITORY}/issues/comments/101`);
  const none = await sent(t, comment(), {}, answer(list('hello', `${MARK} is quoted`)));
  assert.equal(none.requests[1], `POST ${COMMENTS}`);
});

test('a comment of a stranger is not changed, whatever it ends with', async (t) => {
  const wrote = async (type: string, association: string) => {
    const body = [{ id: 100, body: MARK, user: { type }, author_association: association }];
    const { requests } = await sent(t, comment(), {}, ({ method }) =>
      method === 'GET' ? { status: 200, body } : { status: 201, body: { id: 101 } },
    );
    return requests[1];
  };
  const change = `PATCH /repos/${REPOSITORY}/issues/comments/100`;
  assert.equal(await wrote('User', 'CONTRIBUTOR'), `POST ${COMMENTS}`);
  assert.equal(await wrote('User', 'COLLABORATOR'), change, 'Mainsheet with a token');
  assert.equal(await wrote('Bot', 'NONE'), change, 'Mainsheet as an App');
});

test('one that was deleted is made again', async (t) => {
  const { id, requests } = await sent(t, comment(), { 'plan-comment:p1': 5 }, ({ method }) =>
    method === 'PATCH'
      ? { status: 404, body: { message: 'Not Found' } }
      : { status: 201, body: { id: 6 } },
  );
  assert.deepEqual([id, requests.at(-1)], [6, `POST ${COMMENTS}`]);
});

test('a check run is made for each commit, with problems at their lines', async (t) => {
  const answer = ({ method }: Received): Reply =>
    method === 'GET'
      ? { status: 200, body: { total_count: 0, check_runs: [] } }
      : { status: 201, body: { id: 7 } };
  const told = { [`plan-check:p1:${'b'.repeat(40)}`]: 3 };
  const { id, requests, server } = await sent(t, check(), told, answer);
  assert.deepEqual([id, requests[1]], [7, `POST /repos/${REPOSITORY}/check-runs`]);
  assert.partialDeepStrictEqual(server.requests[1]?.body, {
    head_sha: SHA,
    external_id: 'p1',
    conclusion: 'failure',
    output: { annotations: [{ path: 'specs/a.yaml', start_line: 3, start_column: 2 }] },
  });
});

test('the check run of the same commit is changed, and annotations are not added twice', async (t) => {
  const told = { [`plan-check:p1:${SHA}`]: 7 };
  const annotated = async (count: number) => {
    const body = { id: 7, output: { annotations_count: count } };
    const { requests, server } = await sent(t, check(), told, () => ({ status: 200, body }));
    assert.equal(requests.at(-1), `PATCH /repos/${REPOSITORY}/check-runs/7`);
    const last = server.requests.at(-1);
    assert.ok(last);
    return 'annotations' in (last.body as { output: object }).output;
  };
  assert.deepEqual([await annotated(0), await annotated(2)], [true, false]);
});

test('what is said later makes pointless what was to be said before', () => {
  assert.equal(isObsolete(comment('old'), comment('new')), true);
  assert.equal(isObsolete(check('b'.repeat(40)), check()), true);
  assert.equal(isObsolete(check(), { ...check(), plan: 'p2' } as PlanCheckCallback), false);
});
