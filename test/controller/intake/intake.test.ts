import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import SQLite from 'better-sqlite3';
import { noFailpoint } from '../../../src/lib/failpoint.ts';
import { type Store } from '../../../src/store/index.ts';
import { until } from '../../support/until.ts';
import { TRIES, createFixture } from './intake-fixture.ts';

test('the log names the run that a delivery has made, also one that waits at a gate', async (t) => {
  const gate = {
    kind: 'approve',
    from: [],
    count: 1,
    notAuthor: false,
    timeoutMs: undefined,
  } as const;
  const { commit, deliver, done, runs, log } = await createFixture(t, 'all', noFailpoint, [gate]);
  await deliver('d1', 'release/1', await commit({ 'src/a': '1' }, 'release/1'));
  await done('d1');
  const [run] = await runs();
  assert.equal(run?.state, 'blocked');
  const line = log.find(({ msg }) => msg === 'delivery processed');
  assert.deepEqual(line?.['runs'], [run.id]);
});

test('a push that deploys does not wait until a flood of deliveries that no spec names is over', async (t) => {
  const { deliver, commit, done, flood } = await createFixture(t);
  flood.size = 300;
  await deliver('d1', 'release/1', await commit({ 'src/a': '1' }, 'release/1'));
  assert.equal((await done('d1')).state, 'processed');
  flood.size = 0;
});

test('while git fails for a moment the order of a repository is kept', async (t) => {
  const { deliver, commit, server, tried, get, done, later, runs } = await createFixture(t);
  const one = await commit({ 'src/a': '1' });
  server.fault = () => ({ kind: 'status', status: 503 });
  await deliver('d1', 'main', one);
  await deliver('d2', 'release/1', one);
  await tried('d1', TRIES - 1);
  assert.deepEqual([(await get('d2')).state, (await get('d2')).attempts], ['pending', 0]);
  server.fault = undefined;
  later();
  await done('d2');
  assert.deepEqual(
    (await runs()).map(({ delivery }) => delivery),
    ['d1', 'd2'],
  );
});

test('a delivery that waits for git holds up those of its repository and no other', async (t) => {
  const { deliver, commit, slow, get, done, runs } = await createFixture(t);
  const one = await commit({ 'src/a': '1' });
  const git = Promise.withResolvers<void>();
  slow.set(one, git.promise);
  await deliver('d1', 'main', one);
  await deliver('d2', 'release/1', await commit({ 'src/a': '2' }, 'release/1'));
  await deliver('d3', 'release/1', 'c'.repeat(40), 'acme/other');
  await deliver('d4', 'release/1', 'd'.repeat(40), 'acme/another');
  await done('d4');
  const waiting = [await get('d1'), await get('d2')];
  assert.deepEqual(
    waiting.map(({ state, attempts }) => [state, attempts]),
    [
      ['pending', 1],
      ['pending', 0],
    ],
  );
  git.resolve();
  await done('d2');
  assert.deepEqual(
    (await runs()).map(({ delivery }) => delivery),
    ['d1', 'd2'],
    'in their order; for the other repositories there is no spec',
  );
});

test('what no spec names is closed while an earlier delivery of its repository waits for git, also one that another process committed late', async (t) => {
  // As on PostgreSQL, where there may be several.
  const shared = (store: Store): Store => ({ ...store, engine: 'postgres' });
  const { deliver, commit, slow, get, done, later, root } = await createFixture(
    t,
    'newest',
    noFailpoint,
    [],
    undefined,
    shared,
  );
  const one = await commit({ 'src/a': '1' });
  const git = Promise.withResolvers<void>();
  slow.set(one, git.promise);
  await deliver('d1', 'main', one);
  await deliver('d2', 'topic', await commit({ 'src/a': '2' }, 'topic'));
  const { state, outcome } = await done('d2');
  assert.equal(state, 'processed');
  assert.match(outcome?.summary ?? '', /^Not deployed: topic matches none of main/);
  assert.deepEqual(
    outcome?.specs.map(({ spec, verdict }) => [spec, verdict.matched]),
    [
      ['paths', false],
      ['plain', false],
    ],
  );

  const other = new SQLite(join(root, 'mainsheet.db'));
  t.after(() => other.close());
  // As if only now another process had committed it.
  other.exec("update deliveries set state = 'pending', attempts = 0 where id = 'd2'");
  later();
  await done('d2');
  assert.equal((await get('d1')).state, 'pending');
  git.resolve();
  await done('d1');
});

test('when the store fails its delivery is left open, and after a pause those of other repositories go on', async (t) => {
  const { deliver, failing, get, done } = await createFixture(t);
  failing.add('d1');
  await deliver('d1', 'release/1', 'a'.repeat(40));
  await until('the store has failed', () => failing.size === 0);
  await deliver('d2', 'release/1', 'b'.repeat(40), 'acme/other');
  await done('d2');
  const { state, attempts } = await get('d1');
  assert.deepEqual([state, attempts], ['pending', 1], 'it waits for the end of its lease');
});

test('at a stop what waits for git is given back, so that it is worked on at once at the next start', async (t) => {
  const { deliver, commit, slow, get, store, stop } = await createFixture(t);
  const shas = [await commit({ 'src/a': '1' }), await commit({ 'src/a': '2' })];
  for (const sha of shas) slow.set(sha, new Promise(() => {}));
  await deliver('d1', 'main', shas[0] ?? '');
  await deliver('d2', 'main', shas[1] ?? '', 'acme/other');
  for (const id of ['d1', 'd2']) {
    await until(`${id} is worked on`, async () => (await get(id)).attempts === 1);
  }
  await stop();
  for (const id of ['d1', 'd2']) {
    assert.equal((await store.inbox.claim(Date.now(), 1000))?.delivery.id, id);
  }
});

for (const steps of ['one step', 'two steps']) {
  test(`a commit that its branch was forced back to in ${steps} is deployed although the branch has moved on since, with what no spec deploys`, async (t) => {
    const { deliver, commit, git, done, runs } = await createFixture(t);
    const one = await commit({ 'docs/a': '1' });
    const two = await commit({ 'src/a': '2' });
    const three = await commit({ 'src/a': '3' });
    await deliver('d1', 'main', three, undefined, two, ['src/a']);
    await done('d1');
    await git('reset', '--quiet', '--hard', two);
    await git('push', '--quiet', '--force', 'origin', `${two}:refs/heads/main`);
    const docs = await commit({ 'docs/a': '4' });
    if (steps === 'two steps') await deliver('d2', 'main', one, undefined, three, ['docs/a']);
    const before = steps === 'two steps' ? one : three;
    await deliver('d3', 'main', two, undefined, before, ['src/a']);
    await deliver('d4', 'main', docs, undefined, two, ['docs/a']);
    await done('d4');
    assert.deepEqual(
      (await runs()).map(({ delivery, state }) => [delivery, state]),
      [
        ['d1', 'superseded'],
        ['d3', 'queued'],
      ],
    );
  });
}

for (const status of [401, 403, 404]) {
  test(`a repository that cannot be read (${status}) holds nothing up: it is no passing trouble`, async (t) => {
    const { deliver, commit, server, done, runs } = await createFixture(t);
    const one = await commit({ 'src/a': '1' });
    server.fault = () => ({ kind: 'status', status });
    await deliver('d1', 'main', one);
    await deliver('d2', 'release/1', one);
    const first = await done('d1');
    assert.equal(first.attempts, 1);
    // The run cannot check anything out either, and GitHub hears why.
    assert.match(JSON.stringify(first.outcome), /changed files are not known/);
    await done('d2');
    assert.equal((await runs()).length, 2);
  });
}

for (const status of [401, 403, 404]) {
  test(`a push is not lost when git refuses (${status}) to compare it with the run that waits`, async (t) => {
    const { deliver, commit, server, done, runs } = await createFixture(t);
    const one = await commit({ 'src/a': '1' });
    const two = await commit({ 'src/a': '2' });
    server.fault = () => ({ kind: 'status', status });
    await deliver('d1', 'main', one);
    await done('d1');
    await deliver('d2', 'main', two);
    assert.equal((await done('d2')).state, 'processed');
    assert.deepEqual(
      (await runs()).map(({ delivery, state }) => [delivery, state]),
      [
        ['d1', 'superseded'],
        ['d2', 'queued'],
      ],
    );
  });
}

test('what GitHub tells of an installation is kept in the transaction that closes the delivery', async (t) => {
  const { store, done } = await createFixture(t);
  const payload = {
    action: 'created',
    installation: { id: 7 },
    repositories: [{ id: 1, full_name: 'acme/storefront' }],
  };
  await store.accept({
    id: 'i1',
    event: 'installation',
    action: 'created',
    repository: undefined,
    payload: JSON.stringify(payload),
    receivedAt: 1,
  });
  assert.equal((await done('i1')).outcome?.summary, 'An installation of the App: added');
  assert.equal(await store.installations.stateOf('acme/storefront'), 'installed');
});
