import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { createMayDo } from '../../src/github/may-do.ts';
import { createPermissions } from '../../src/github/permissions.ts';
import { startStandIn, type Reply } from './stand-in.ts';
import { connect, createTestClock, isRetryable } from './support.ts';

const REPOSITORY = 'acme/shop';

/** A permission, or an answer as it is. */
type Answer = string | Exclude<Reply, string>;

/** A GitHub that answers each login with what it may do. */
async function setUp(t: TestContext, answers: Record<string, Answer>) {
  const server = await startStandIn(t, ({ path }) => {
    const login = decodeURIComponent(/collaborators\/([^/]+)\/permission$/.exec(path)?.[1] ?? '');
    const answer = answers[login] ?? { status: 404, body: { message: 'Not Found' } };
    return typeof answer === 'string'
      ? { status: 200, body: { permission: answer, role_name: answer, user: null } }
      : answer;
  });
  const clock = createTestClock();
  const { github } = connect(server.url, { clock });
  return {
    server,
    clock,
    mayDo: createMayDo({ permissions: createPermissions({ github, clock }) }),
  };
}

test('people with write permission may change what is deployed, others may look at most', async (t) => {
  const people = { admin: 'admin', writer: 'write', reader: 'read', stranger: 'none' };
  const { mayDo } = await setUp(t, people);
  const may = async (login: string) => [
    (await mayDo(REPOSITORY, login, 'look')).allowed,
    (await mayDo(REPOSITORY, login, 'retry')).allowed,
  ];
  assert.deepEqual(await may('admin'), [true, true]);
  assert.deepEqual(await may('writer'), [true, true]);
  assert.deepEqual(await may('reader'), [true, false]);
  assert.deepEqual(await may('stranger'), [false, false]);
  assert.deepEqual(await may('stranger'), [false, false]);
  assert.deepEqual(await mayDo(REPOSITORY, 'reader', 'cancel'), {
    allowed: false,
    permission: 'read',
    needed: 'write',
  });
});

test('GitHub is asked once a minute for a person, whatever the case of their name', async (t) => {
  const answers: Record<string, Answer> = { Alice: 'write', alice: 'write' };
  const { server, clock, mayDo } = await setUp(t, answers);
  await mayDo(REPOSITORY, 'Alice', 'retry');
  await mayDo('Acme/Shop', 'alice', 'cancel');
  assert.equal(server.requests.length, 1);
  answers['alice'] = 'none';
  clock.advance(60_000);
  assert.equal((await mayDo(REPOSITORY, 'alice', 'retry')).allowed, false);
  assert.equal(server.requests.length, 2);
});

test('a name that no person has is not asked for, and none gets into the path', async (t) => {
  const { server, mayDo } = await setUp(t, {});
  for (const login of ['', '../x', 'a/b', 'a?b', '-x', 'a'.repeat(101)]) {
    assert.equal((await mayDo(REPOSITORY, login, 'look')).allowed, false);
  }
  assert.deepEqual(server.requests, []);
});

test('when GitHub does not say, nothing is allowed and it is asked again', async (t) => {
  const answers: Record<string, Answer> = {
    alice: { status: 502, body: { message: 'bad' } },
  };
  const { mayDo } = await setUp(t, answers);
  await assert.rejects(mayDo(REPOSITORY, 'alice', 'retry'), isRetryable);
  answers['alice'] = { status: 200, body: { permission: 'owner' } };
  await assert.rejects(mayDo(REPOSITORY, 'alice', 'retry'), isRetryable);
  answers['alice'] = 'write';
  assert.equal((await mayDo(REPOSITORY, 'alice', 'retry')).allowed, true);
});
