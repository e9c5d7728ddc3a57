import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { createReconcile } from '../../src/controller/reconcile.ts';
import { systemClock } from '../../src/lib/clock.ts';
import type { DeploymentSpec } from '../../src/model/deployment-spec.ts';
import { openSqlite } from '../../src/store/engine.ts';
import { createStore } from '../../src/store/index.ts';
import { ASIDE_AFTER } from '../../src/store/inbox.ts';
import { createFixture as createGit, silent } from '../git/fixture.ts';
import { sampleLoaded } from '../runs/samples.ts';
import { sampleDelivery } from '../store/samples.ts';
import { until } from '../support/until.ts';

const ON: DeploymentSpec['on'] = {
  push: {
    branches: ['main', 'release/*'],
    branchesIgnore: [],
    tags: [],
    tagsIgnore: [],
    paths: [],
    pathsIgnore: [],
  },
  release: undefined,
  workflowRun: undefined,
};

/** Looks at a repository on a real git server, for specs that are in it. */
async function createFixture(t: TestContext, more: string[] = []) {
  const git = await createGit(t);
  const { repository } = git;
  const store = await createStore(openSqlite(join(git.root, 'mainsheet.db')), 'sqlite');
  t.after(() => store.close());
  const slept: number[] = [];
  const stopping = new AbortController();
  const clock = {
    ...systemClock,
    sleep: async (ms: number) => {
      slept.push(ms);
      if (slept.length === 20) stopping.abort();
    },
  };
  const specs = [repository, repository.toUpperCase(), ...more].map((name, index) =>
    sampleLoaded({ name: `spec${index}`, repository: name, on: ON }),
  );
  const reconcile = createReconcile({
    store,
    mirrors: git.mirrors,
    catalog: { current: () => ({ specs, problems: [], stale: false, loadedAt: 1 }) },
    intervalMs: 60_000,
    onAccepted: () => {},
    clock,
    logger: silent,
  });
  const found = async () => {
    const { items } = await store.inbox.list({ limit: 99, before: undefined });
    const all = await Promise.all(items.map(({ id }) => store.inbox.get(id)));
    return all
      .map((one) => JSON.parse(one?.payload ?? '{}') as Record<string, unknown>)
      .map(({ ref, before, after, forced }) => ({ ref, before, after, forced }))
      .toReversed();
  };
  const look = () => reconcile.look(new AbortController().signal);
  /** What intake does with what was found. */
  async function taken(): Promise<void> {
    const { items } = await store.inbox.list({ limit: 99, before: undefined });
    for (const { id, state } of items.toReversed()) {
      if (state !== 'pending') continue;
      const { ref, before, after } = JSON.parse((await store.inbox.get(id))?.payload ?? '{}') as {
        ref: string;
        before: string;
        after: string;
      };
      await store.pushes.record({ repository, ref, before, after, delivery: id, seenAt: 1 });
      await store.inbox.close(id, 'processed', { summary: '', specs: [] }, 1);
    }
  }
  return { ...git, store, look, found, taken, slept, stopping, reconcile };
}

test('a look costs one request for each repository, however many specs and branches it has', async (t) => {
  const { look, commit, server } = await createFixture(t);
  for (const branch of ['release/1', 'release/2', 'topic']) await commit({ a: branch }, branch);
  await look();
  const before = server.requests.length;
  await look();
  // git's protocol: what the server can, then the refs.
  const asked = server.requests.slice(before).map(({ line }) => line.replace(/\?.*/, ''));
  assert.ok(asked.length <= 2, asked.join('\n'));
  assert.equal(new Set(asked.map((line) => line.split(' ')[0])).size, asked.length);
});

test('looks are an interval apart, up to a fifth more or less, and not always the same', async (t) => {
  const { reconcile, slept, stopping } = await createFixture(t);
  await reconcile.run(stopping.signal);
  assert.equal(slept.length, 20);
  for (const ms of slept) assert.ok(ms >= 48_000 && ms <= 72_000, `${ms}`);
  assert.ok(new Set(slept).size > 10);
});

test('a repository that cannot be looked at keeps no other from being looked at', async (t) => {
  const { look, found, commit } = await createFixture(t, ['acme/gone']);
  await look();
  const sha = await commit({ a: '1' });
  await look();
  assert.deepEqual(
    (await found()).map(({ after }) => after),
    [sha],
  );
});

test('a branch that was deleted deploys nothing, and made again elsewhere than it was last it is a new one', async (t) => {
  const { look, found, taken, commit, git } = await createFixture(t);
  const push = (what: string) => git('push', '--quiet', 'origin', `${what}:refs/heads/release/1`);
  const seen = async () => {
    await look();
    await taken();
    return (await found()).map(({ before, after }) => [before, after]);
  };
  const ZERO = '0'.repeat(40);
  await look();
  const one = await commit({ a: '1' }, 'release/1');
  assert.deepEqual(await seen(), [[ZERO, one]]);
  await push('');
  assert.equal((await seen()).length, 1);
  await push(one);
  assert.equal((await seen()).length, 1, 'it is where it was');
  const two = await commit({ a: '2' }, 'release/1');
  assert.equal((await seen()).length, 2);
  await push('');
  await look();
  await push(one);
  assert.deepEqual(await seen(), [
    [ZERO, one],
    [one, two],
    [ZERO, one],
  ]);
});

test('a branch that was forced elsewhere is told of as forced, one that moved on is not', async (t) => {
  const { look, found, taken, commit, git } = await createFixture(t);
  const first = await git('rev-parse', 'HEAD');
  await look();
  const on = await commit({ a: '1' });
  await look();
  await taken();
  await git('reset', '--quiet', '--hard', first);
  const elsewhere = await commit({ b: '2' });
  await look();
  assert.deepEqual(await found(), [
    { ref: 'refs/heads/main', before: first, after: on, forced: false },
    { ref: 'refs/heads/main', before: on, after: elsewhere, forced: true },
  ]);
});

test('what a delivery waits to tell is left to it, but not while it has stepped aside', async (t) => {
  const { look, found, store, commit, repository } = await createFixture(t);
  await look();
  await store.accept(sampleDelivery('waits', { repository }));
  const sha = await commit({ a: '1' });
  await look();
  assert.equal((await found()).length, 1, 'only the one that waits');
  for (let attempt = 0; attempt < ASIDE_AFTER; attempt += 1) {
    await store.inbox.claim(1000, 1);
    await store.inbox.postpone('waits', 0, '');
  }
  await look();
  assert.equal((await found()).at(-1)?.after, sha);
});

test('a look that was stopped is no trouble, and the next one begins anew', async (t) => {
  const { reconcile, look, found, commit, server } = await createFixture(t);
  await look();
  const sha = await commit({ a: '1' });
  const stopping = new AbortController();
  let release: (() => void) | undefined;
  const hanging = new Promise<void>((resolve) => (release = resolve));
  server.fault = () => ({ kind: 'hang', until: hanging });
  const before = server.requests.length;
  const looking = reconcile.look(stopping.signal);
  await until('it asks', () => server.requests.length > before);
  stopping.abort();
  await looking;
  release?.();
  server.fault = undefined;
  assert.deepEqual(await found(), []);
  await look();
  assert.deepEqual(
    (await found()).map(({ after }) => after),
    [sha],
  );
});
