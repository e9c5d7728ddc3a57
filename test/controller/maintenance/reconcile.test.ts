import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { createReconcile } from '../../../src/controller/maintenance/reconcile.ts';
import { systemClock } from '../../../src/lib/clock.ts';
import { RetryableError } from '../../../src/lib/errors.ts';
import type { DeploymentSpec } from '../../../src/model/deployment-spec.ts';
import type { Mirrors } from '../../../src/git/mirrors.ts';
import type { Store } from '../../../src/store/index.ts';
import { createFixture as createGit } from '../../git/fixture.ts';
import { sampleLoaded } from '../../runs/samples.ts';
import { sampleDelivery } from '../../store/samples.ts';
import { recordFilled } from '../../support/filled.ts';
import { recordLog } from '../../support/log.ts';
import { newStore } from '../../support/new-store.ts';
import { until } from '../../support/until.ts';

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

const onBranches = (...branches: string[]): DeploymentSpec['on'] => ({
  ...ON,
  push: ON.push && { ...ON.push, branches },
});

/** Looks at a repository on a real git server, for two specs that are in it and `more`. */
async function createFixture(
  t: TestContext,
  { more = [], meddle = () => ({}) }: { more?: Partial<DeploymentSpec>[]; meddle?: Meddle } = {},
) {
  const git = await createGit(t);
  const { repository } = git;
  const store = await newStore(join(git.root, 'mainsheet.db'));
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
  const specs = [{ repository }, { repository: repository.toUpperCase() }, ...more].map(
    (one, index) => sampleLoaded({ name: `spec${index}`, on: ON, ...one }),
  );
  const { logger, log } = recordLog();
  const filled = recordFilled(store);
  const reconcile = createReconcile({
    store,
    mirrors: git.mirrors,
    catalog: { current: () => ({ specs, problems: [], stale: false, loadedAt: 1 }) },
    intervalMs: 60_000,
    clock,
    logger,
    ...meddle(store, git.mirrors),
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
      await store.inbox.close(id, 'processed', { summary: '', specs: [] }, 1);
    }
  }
  return {
    ...git,
    store,
    specs,
    look,
    found,
    taken,
    slept,
    stopping,
    reconcile,
    log,
    filled,
  };
}

/** Puts something of its own between the look and what it asks. */
type Meddle = (store: Store, mirrors: Mirrors) => { store?: Store; mirrors?: Mirrors };

test('a repository that the App is not on any more is not looked at, and no error', async (t) => {
  const { look, store, server, log, repository } = await createFixture(t);
  const installation = { kind: 'installation', installation: 7 } as const;
  const repositories = [repository];
  await store.installations.note({ ...installation, change: 'removed', repositories }, 1);
  const before = server.requests.length;
  await look();
  assert.equal(server.requests.length, before);
  assert.deepEqual(
    log.filter(({ level }) => Number(level) >= 40),
    [],
  );
  await store.installations.note({ ...installation, change: 'added', repositories }, 2);
  await look();
  assert.ok(server.requests.length > before);
});

test('a look costs one request for each repository, however many specs and branches it has', async (t) => {
  const { look, commit, server } = await createFixture(t);
  for (const branch of ['release/1', 'release/2', 'topic']) await commit({ a: branch }, branch);
  for (let time = 0; time < 2; time += 1) {
    const before = server.requests.length;
    await look();
    // git's protocol: what the server can, then the refs.
    const asked = server.requests.slice(before).map(({ line }) => line.replace(/\?.*/, ''));
    assert.ok(asked.length <= 2, asked.join('\n'));
    assert.equal(new Set(asked.map((line) => line.split(' ')[0])).size, asked.length);
  }
});

test('looks are an interval apart, up to a fifth more or less, and not always the same', async (t) => {
  const { reconcile, slept, stopping } = await createFixture(t);
  await reconcile.run(stopping.signal);
  assert.equal(slept.length, 20);
  for (const ms of slept) assert.ok(ms >= 48_000 && ms <= 72_000, `${ms}`);
  assert.ok(new Set(slept).size > 10);
});

test('a repository that cannot be looked at keeps no other from being looked at', async (t) => {
  const { look, found, commit, filled } = await createFixture(t, {
    more: [{ repository: 'acme/gone' }],
  });
  await look();
  const sha = await commit({ a: '1' });
  await look();
  assert.deepEqual(
    (await found()).map(({ after }) => after),
    [sha],
  );
  assert.deepEqual(filled, ['inbox'], 'the intake hears of it');
});

test('a repository that does not answer keeps no other from being looked at', async (t) => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const slow = ['acme/slow', 'acme/slower'];
  const { look, found, commit, store, repository } = await createFixture(t, {
    more: slow.map((name) => ({ repository: name })),
    meddle: (_store, mirrors) => ({
      mirrors: {
        ...mirrors,
        async heads(name, options) {
          if (!slow.includes(name)) return await mirrors.heads(name, options);
          await promise;
          return new Map();
        },
      },
    }),
  });
  const looks = [look()];
  await until('it was looked at', async () => (await store.branchHeads.of(repository)).size > 0);
  const sha = await commit({ a: '1' });
  looks.push(look());
  const [push] = await until('the push is found', async () => {
    const all = await found();
    return all.length > 0 && all;
  });
  assert.equal(push?.after, sha);
  resolve();
  await Promise.all(looks);
});

test('no repository is asked that no spec deploys pushes of', async (t) => {
  const asked: string[] = [];
  const { look, repository } = await createFixture(t, {
    more: [{ repository: 'acme/releases', on: { ...ON, push: undefined } }],
    meddle: (_store, mirrors) => ({
      mirrors: {
        ...mirrors,
        heads: (name, options) => {
          asked.push(name);
          return mirrors.heads(name, options);
        },
      },
    }),
  });
  await look();
  assert.deepEqual(asked, [repository]);
});

test('a branch that any spec names is watched, and only from the moment on that one does', async (t) => {
  const { look, found, taken, commit, specs, repository } = await createFixture(t, {
    more: [{ repository: 'acme/shop', on: onBranches('topic') }],
  });
  const looked = async () => {
    await look();
    await taken();
    return (await found()).map(({ ref, after }) => [ref, after]);
  };
  await commit({ a: '1' }, 'later');
  await looked();
  await commit({ a: '2' }, 'later');
  const topic = await commit({ a: '3' }, 'topic');
  assert.deepEqual(await looked(), [['refs/heads/topic', topic]]);
  specs.push(sampleLoaded({ name: 'later', repository, on: onBranches('later') }));
  assert.equal((await looked()).length, 1, 'what was pushed before deploys nothing');
  const later = await commit({ a: '4' }, 'later');
  assert.deepEqual((await looked()).at(-1), ['refs/heads/later', later]);
});

test('branches at the same commit are pushes of their own, in every repository', async (t) => {
  const { look, found, git, serverGit, specs } = await createFixture(t);
  await serverGit('clone', '--quiet', '--bare', '.', '../hub.git');
  specs.push(sampleLoaded({ name: 'hub', repository: 'acme/hub', on: ON }));
  await look();
  const sha = await git('rev-parse', 'HEAD');
  for (const branch of ['release/1', 'release/2']) {
    await git('push', '--quiet', 'origin', `HEAD:refs/heads/${branch}`);
    await serverGit('--git-dir=../hub.git', 'branch', branch, sha);
  }
  await look();
  const pushes = await found();
  assert.deepEqual(
    new Set(pushes.map(({ ref }) => ref)),
    new Set(['refs/heads/release/1', 'refs/heads/release/2']),
  );
  assert.deepEqual(
    pushes.map(({ after }) => after),
    [sha, sha, sha, sha],
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

test('what a delivery waits to tell is left to it, but not while it is deferred', async (t) => {
  const { look, found, store, commit, repository } = await createFixture(t);
  await look();
  await store.accept(sampleDelivery('waits', { repository }));
  const sha = await commit({ a: '1' });
  await look();
  assert.equal((await found()).length, 1, 'only the one that waits');
  await store.inbox.postpone('waits', 0, '', undefined, true);
  await look();
  assert.equal((await found()).at(-1)?.after, sha);
});

test('a delivery that comes while the branches are read is not told of twice', async (t) => {
  const { look, found, commit } = await createFixture(t, {
    meddle: (store, mirrors) => ({
      mirrors: {
        ...mirrors,
        async heads(repository, options) {
          const heads = await mirrors.heads(repository, options);
          if (heads.has('release/1')) await store.accept(sampleDelivery('heard', { repository }));
          return heads;
        },
      },
    }),
  });
  await look();
  await commit({ a: '1' }, 'release/1');
  await look();
  assert.equal((await found()).length, 1, 'only the one that was heard');
});

/** A delivery has told this move of `main` so many minutes ago. */
async function tellMove(
  store: Store,
  { repository, before, after }: { repository: string; before: string; after: string },
  minutes: number,
): Promise<void> {
  await store.pushes.record({
    repository,
    ref: 'refs/heads/main',
    before,
    after,
    delivery: `${before} ${after}`,
    found: false,
    toldBy: undefined,
    seenAt: Date.now() - minutes * 60_000,
  });
}

for (const [minutes, finds] of [
  [4, 0],
  [6, 1],
] as const) {
  test(`a branch that is where it was seen, although a delivery told ${minutes} minutes ago that it left there, ${finds === 0 ? 'may just not show it' : 'came back'}`, async (t) => {
    const { look, found, taken, git, commit, store, repository } = await createFixture(t);
    const before = await git('rev-parse', 'HEAD');
    const after = await commit({ a: '1' });
    await look();
    await tellMove(store, { repository, before: after, after: before }, minutes);
    for (let time = 0; time < 2; time += 1) {
      await look();
      await taken();
    }
    const all = await found();
    assert.equal(all.length, finds);
    for (const push of all) {
      assert.deepEqual(push, { ref: 'refs/heads/main', before, after, forced: false });
    }
  });
}

test('what a look read before a delivery told that the branch is further is not found', async (t) => {
  let stale: Map<string, string> | undefined;
  const { look, found, git, commit, store, mirrors, repository } = await createFixture(t, {
    meddle: (_store, real) => ({
      mirrors: {
        ...real,
        heads: async (name, options) => stale ?? (await real.heads(name, options)),
      },
    }),
  });
  const first = await git('rev-parse', 'HEAD');
  await look();
  const second = await commit({ a: '1' });
  stale = await mirrors.heads(repository);
  const third = await commit({ a: '2' });
  await tellMove(store, { repository, before: first, after: second }, 0);
  await tellMove(store, { repository, before: second, after: third }, 0);
  await look();
  assert.deepEqual(await found(), []);
  stale = undefined;
  await look();
  assert.deepEqual(await found(), []);
});

test('a push that could not be stored is found by the next look', async (t) => {
  let full = false;
  const { look, found, commit, log } = await createFixture(t, {
    meddle: (store) => ({
      store: {
        ...store,
        async atomically(work) {
          if (full) throw new Error('the disk is full');
          return await store.atomically(work);
        },
      },
    }),
  });
  await look();
  const sha = await commit({ a: '1' });
  full = true;
  await look();
  assert.ok(log.some(({ error }) => /disk is full/.test(String(error))));
  full = false;
  await look();
  assert.deepEqual(
    (await found()).map(({ after }) => after),
    [sha],
  );
});

test('two that find the same push at once store it once', async (t) => {
  const { promise: both, resolve } = Promise.withResolvers<void>();
  let arrived = 0;
  const { look, found, commit } = await createFixture(t, {
    meddle: (_store, mirrors) => ({
      mirrors: {
        ...mirrors,
        async commit(...request) {
          const facts = await mirrors.commit(...request);
          arrived += 1;
          if (arrived === 2) resolve();
          await both;
          return facts;
        },
      },
    }),
  });
  await look();
  await commit({ a: '1' });
  await Promise.all([look(), look()]);
  assert.equal(arrived, 2);
  assert.equal((await found()).length, 1);
});

test('a look that was stopped is no trouble, and the next one begins again', async (t) => {
  const { reconcile, look, found, commit, server, log } = await createFixture(t);
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
  assert.deepEqual(
    log.filter(({ msg }) => msg === 'branches cannot be looked at'),
    [],
  );
  release?.();
  server.fault = undefined;
  assert.deepEqual(await found(), []);
  await look();
  assert.deepEqual(
    (await found()).map(({ after }) => after),
    [sha],
  );
});

/** A delivery that was given up because git did not show what it names. */
async function giveUp(
  store: Store,
  id: string,
  repository: string,
  missing: { ref: string; sha?: string },
): Promise<void> {
  await store.accept(sampleDelivery(id, { repository, receivedAt: Date.now() }));
  await store.inbox.close(id, 'failed', { summary: '', specs: [] }, 1, undefined, {
    sha: undefined,
    ...missing,
  });
}

test('a tag without a commit opens no delivery again', async (t) => {
  const { look, git, store, repository } = await createFixture(t);
  await git('push', '--quiet', 'origin', 'HEAD^{tree}:refs/tags/tree');
  await giveUp(store, 'tree', repository, { ref: 'refs/tags/tree' });
  await look();
  assert.equal((await store.inbox.get('tree'))?.delivery.state, 'failed');
});

test('of a repository that does not answer only one thing that was given up is looked for, and of others all', async (t) => {
  const asked: string[] = [];
  const { look, git, store, repository } = await createFixture(t, {
    meddle: (_store, mirrors) => ({
      mirrors: {
        ...mirrors,
        async resolveTag(name, ...rest) {
          asked.push(name);
          if (name === 'acme/slow') throw new RetryableError('git-timeout', 'it took too long');
          return await mirrors.resolveTag(name, ...rest);
        },
      },
    }),
  });
  await git('push', '--quiet', 'origin', 'HEAD:refs/tags/v1');
  await giveUp(store, 'd1', repository, { ref: 'refs/tags/v1' });
  for (const id of ['d2', 'd3', 'd4'])
    await giveUp(store, id, 'acme/slow', { ref: `refs/tags/${id}` });
  await giveUp(store, 'd5', repository, { ref: 'refs/tags/v2' });
  await look();
  assert.deepEqual(asked.toSorted(), [repository, repository, 'acme/slow'].toSorted());
  assert.equal((await store.inbox.get('d1'))?.delivery.state, 'pending');
});

test('a delivery that was given up is opened again when what it names is there', async (t) => {
  const { look, commit, git, store, repository } = await createFixture(t);
  const sha = await git('rev-parse', 'HEAD');
  const give = (id: string, ref: string, commitOf?: string) =>
    giveUp(store, id, repository, { ref, ...(commitOf === undefined ? {} : { sha: commitOf }) });
  await give('release', 'refs/tags/v1');
  await give('workflow', 'refs/heads/topic', sha);
  await give('replayed', 'refs/tags/v1');
  await store.inbox.forgetMissing('replayed');
  const pending = async () =>
    (await store.inbox.list({ limit: 9, before: undefined })).items
      .filter(({ state }) => state === 'pending')
      .map(({ id }) => id)
      .toSorted();
  await look();
  assert.deepEqual(await pending(), []);
  await git('push', '--quiet', 'origin', `${sha}:refs/tags/v1`);
  await look();
  assert.deepEqual(await pending(), ['release']);
  await commit({ a: '1' }, 'topic');
  await look();
  assert.deepEqual(await pending(), ['release', 'workflow']);
});
