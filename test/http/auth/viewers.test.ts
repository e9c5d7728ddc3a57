import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { pino } from 'pino';
import { createPermissions } from '../../../src/github/permissions.ts';
import { createAdmins } from '../../../src/http/auth/admins.ts';
import { createViewers } from '../../../src/http/auth/viewers.ts';
import { RetryableError } from '../../../src/lib/errors.ts';
import { connect, createTestClock } from '../../github/support.ts';
import { startStandIn, type Reply } from '../../github/stand-in.ts';
import { until } from '../../support/until.ts';

const SHOP = 'acme/shop';
const ALICE = { login: 'alice', id: 7 };
const MINUTE = 60_000;

/** What GitHub says of alice in each repository: a permission, or an answer as it is. */
type Said = Record<string, string | Exclude<Reply, string>>;

async function setUp(t: TestContext, said: Said) {
  const server = await startStandIn(t, ({ path, headers }) => {
    const [, repository = ''] = /^\/repos\/([^/]+\/[^/]+)\/collaborators/.exec(path) ?? [];
    const answer = said[repository] ?? { status: 404, body: {} };
    if (typeof answer !== 'string') return answer;
    const etag = `"${answer}"`;
    if (headers['if-none-match'] === etag) return { status: 304, headers: { etag } };
    const user = { login: 'alice', id: 7 };
    return { status: 200, headers: { etag }, body: { permission: answer, role_name: '', user } };
  });
  const clock = createTestClock();
  const { github } = connect(server.url, { clock });
  const permissions = createPermissions({ github, clock });
  const low = new Set<string>();
  const viewerOf = createViewers({
    permissions,
    isAmple: (repository) => !low.has(repository),
    repositories: async () => Object.keys(said),
    isAdmin: async () => false,
    clock,
  });
  return { server, clock, permissions, viewerOf, low };
}

test('read looks, write deploys, admin pauses, and none sees nothing', async (t) => {
  const { viewerOf } = await setUp(t, {
    'acme/r': 'read',
    'acme/w': 'write',
    'acme/a': 'admin',
    'acme/n': 'none',
  });
  const viewer = await viewerOf(ALICE);
  assert.equal(viewer.actor, 'github:alice');
  assert.deepEqual(viewer.visible, ['acme/r', 'acme/w', 'acme/a']);
  const may = (repository: string | undefined) => [
    viewer.canSee(repository),
    viewer.canDo('deploy', repository),
    viewer.canDo('approve', repository),
    viewer.canDo('pause', repository),
    viewer.canDo('override', repository),
  ];
  assert.deepEqual(may('Acme/R'), [true, false, false, false, false]);
  assert.deepEqual(may('acme/W'), [true, true, true, false, false]);
  assert.deepEqual(may('acme/a'), [true, true, true, true, true]);
  for (const closed of ['acme/n', 'acme/unknown', 'gitlab:acme/r', '', undefined]) {
    assert.deepEqual(may(closed), [false, false, false, false, false], String(closed));
  }
});

test('an answer counts for five minutes, is asked for again before, and costs nothing when it is the same', async (t) => {
  const said: Said = { [SHOP]: 'write' };
  const { server, clock, viewerOf } = await setUp(t, said);
  await viewerOf(ALICE);
  clock.advance(MINUTE);
  await viewerOf(ALICE);
  assert.equal(server.requests.length, 1);
  clock.advance(4 * MINUTE);
  assert.equal((await viewerOf(ALICE)).canDo('deploy', SHOP), true);
  assert.equal(server.requests.length, 2);
  assert.equal(server.requests[1]?.headers['if-none-match'], '"write"');
  said[SHOP] = 'none';
  clock.advance(5 * MINUTE);
  assert.equal((await viewerOf(ALICE)).canSee(SHOP), false);
});

test('what an event says has changed is asked again, of that repository alone', async (t) => {
  const said: Said = { [SHOP]: 'admin', 'acme/other': 'read' };
  const { server, permissions, viewerOf } = await setUp(t, said);
  await viewerOf(ALICE);
  said[SHOP] = 'none';
  permissions.drop('Acme/Shop');
  assert.deepEqual((await viewerOf(ALICE)).visible, ['acme/other']);
  assert.equal(server.requests.length, 3);
});

test('an answer that was on its way when something changed counts for no one who asks later', async () => {
  const answers: ((permission: string) => void)[] = [];
  const request = () =>
    new Promise((resolve) => {
      answers.push((permission) =>
        resolve({ status: 200, headers: {}, data: { permission, user: { id: 7 } } }),
      );
    });
  const github = { octokit: async () => ({ request }) as never };
  const permissions = createPermissions({ github, clock: createTestClock() });
  const early = permissions.of(SHOP, ALICE, MINUTE);
  await until('asked', () => answers.length === 1);
  permissions.drop(undefined);
  const late = permissions.of(SHOP, ALICE, MINUTE);
  await until('asked again', () => answers.length === 2);
  answers[1]?.('none');
  assert.equal(await late, 'none');
  answers[0]?.('admin');
  await early;
  assert.equal(permissions.known(SHOP, ALICE)?.permission, undefined);
  const again = permissions.of(SHOP, ALICE, MINUTE);
  await until('asked once more', () => answers.length === 3);
  answers[2]?.('read');
  assert.equal(await again, 'read');
});

test('a user whose name was taken over by another sees nothing of what that one may see', async (t) => {
  const { viewerOf } = await setUp(t, { [SHOP]: 'admin' });
  assert.deepEqual((await viewerOf({ login: 'alice', id: 6 })).visible, []);
  assert.deepEqual((await viewerOf(ALICE)).visible, [SHOP]);
});

test('while GitHub cannot be asked nothing is shown that is not known', async (t) => {
  const said: Said = { [SHOP]: { status: 502, body: {} } };
  const { clock, viewerOf, server } = await setUp(t, said);
  const away = { status: 503, code: 'github-away' };
  await assert.rejects(viewerOf(ALICE), away);
  const asked = server.requests.length;
  await assert.rejects(viewerOf(ALICE), away);
  assert.equal(server.requests.length, asked, 'and it is not asked for each page');
  said[SHOP] = 'read';
  clock.advance(10_000);
  assert.deepEqual((await viewerOf(ALICE)).visible, [SHOP]);
  // One of two: the other one is seen.
  said[SHOP] = { status: 502, body: {} };
  said['acme/other'] = 'read';
  clock.advance(5 * MINUTE);
  assert.deepEqual((await viewerOf(ALICE)).visible, ['acme/other']);
});

test('where the budget at GitHub is low nothing is asked, and nothing shown that is not known', async (t) => {
  const { clock, viewerOf, server, low } = await setUp(t, { [SHOP]: 'read', 'acme/other': 'read' });
  low.add(SHOP);
  assert.deepEqual((await viewerOf(ALICE)).visible, ['acme/other']);
  low.add('acme/other');
  clock.advance(3 * MINUTE);
  assert.deepEqual((await viewerOf(ALICE)).visible, ['acme/other']);
  clock.advance(2 * MINUTE);
  await assert.rejects(viewerOf(ALICE), { status: 503, code: 'github-away' });
  assert.equal(server.requests.length, 1);
  low.clear();
  assert.deepEqual((await viewerOf(ALICE)).visible?.toSorted(), ['acme/other', SHOP]);
});

test('a thousand repositories are asked about ten at a time', async () => {
  let [now, most] = [0, 0];
  const viewerOf = createViewers({
    permissions: {
      known: () => undefined,
      async of() {
        most = Math.max(most, (now += 1));
        await new Promise(setImmediate);
        now -= 1;
        return 'read';
      },
    },
    isAmple: () => true,
    repositories: async () => Array.from({ length: 1000 }, (_, at) => `acme/r${at}`),
    isAdmin: async () => false,
    clock: createTestClock(),
  });
  assert.equal((await viewerOf(ALICE)).visible?.length, 1000);
  assert.equal(most, 10);
});

test('who is named as an administrator, or is in a team that is, may do everything', async () => {
  const clock = createTestClock();
  let wake = () => {};
  let members: Record<string, number> = { Alice: 7, boss: 1 };
  const admins = createAdmins({
    admins: [
      { login: 'Boss' },
      { login: 'away' },
      { login: 'slow' },
      { team: { org: 'Acme', slug: 'platform' } },
    ],
    people: {
      async isMember(repository, team, login) {
        if (login === 'broken') throw new RetryableError('github-unavailable', 'away');
        return repository === SHOP && team.slug === 'platform' && login in members;
      },
      async idOf(repository, login) {
        if (login === 'slow') return await new Promise(() => {});
        if (repository === SHOP && login !== 'Away') return members[login];
        throw new RetryableError('github-unavailable', 'away');
      },
    },
    repositories: async () => ['other/x', SHOP],
    clock: { ...clock, sleep: () => new Promise((resolve) => (wake = resolve)) },
    logger: pino({ level: 'silent' }),
  });
  assert.equal(await admins.is({ login: 'boss', id: 1 }), true);
  assert.equal(await admins.is({ login: 'boss', id: 2 }), false, 'a session of who had that name');
  assert.equal(await admins.is({ login: 'Away', id: 3 }), true, 'GitHub cannot be asked');
  const slow = admins.is({ login: 'slow', id: 4 });
  wake();
  assert.equal(await slow, true, 'GitHub takes its time');
  assert.equal(await admins.is({ login: 'Alice', id: 7 }), true);
  assert.equal(await admins.is({ login: 'Alice', id: 8 }), false, 'another with that name');
  assert.equal(await admins.is({ login: 'carol', id: 9 }), false);
  assert.equal(await admins.is({ login: 'broken', id: 10 }), false, 'GitHub does not say');
  members = {};
  assert.equal(await admins.is({ login: 'Alice', id: 7 }), true, 'for a minute');
  admins.drop();
  assert.equal(await admins.is({ login: 'Alice', id: 7 }), false);
});
