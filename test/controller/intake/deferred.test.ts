import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from '../../support/until.ts';
import { MINUTE, HOUR, TRIES, MOST_TRIES, createFixture } from './intake-fixture.ts';

test('a push that was found while its own delivery was deferred is deployed once, although both are due', async (t) => {
  const { deliver, find, commit, slow, unreadable, tried, wear, get, done, later, runs } =
    await createFixture(t);
  const one = await commit({ 'src/a': '1' });
  unreadable.add(one);
  await deliver('github-1', 'main', one);
  await tried('github-1', 1);
  unreadable.delete(one);
  const git = Promise.withResolvers<void>();
  slow.set(one, git.promise);
  await wear('github-1', TRIES, 5 * MINUTE);
  await find('reconcile-1', 'main', one);
  await deliver('reconcile-1', 'main', one);
  await until('the found one waits for git', async () => (await get('reconcile-1')).attempts === 1);
  later();
  // Who came after both is done, so the one that is due again by now had its chance.
  await deliver('d3', 'release/1', 'c'.repeat(40), 'acme/other');
  await done('d3');
  assert.equal((await get('github-1')).attempts, TRIES);
  git.resolve();
  await done('reconcile-1');
  const { outcome } = await done('github-1');
  assert.deepEqual(
    (await runs()).map(({ delivery }) => delivery),
    ['reconcile-1'],
  );
  assert.equal(outcome?.summary, 'Not deployed again: delivery reconcile-1 told of this push');
});

test('a delivery that git cannot resolve for long is deferred and says so, and later ones go on', async (t) => {
  const { deliver, commit, unreadable, tried, get, done, later, runs } = await createFixture(t);
  const one = await commit({ 'src/a': '1' });
  unreadable.add(one);
  await deliver('d1', 'main', one);
  await deliver('d2', 'release/1', await commit({ 'src/a': '2' }, 'release/1'));
  await tried('d1', TRIES);
  assert.match((await done('d2')).outcome?.summary ?? '', /^Deploying plain/);
  const deferred = await get('d1');
  assert.equal(deferred.state, 'pending', 'nothing is lost');
  assert.match(
    deferred.outcome?.summary ?? '',
    /^Trying again \(attempt \d+ failed; later deliveries go on without it meanwhile\): this one cannot be read/,
  );
  unreadable.clear();
  later();
  assert.match((await done('d1')).outcome?.summary ?? '', /^Deploying paths/);
  assert.deepEqual(
    (await runs()).map(({ delivery }) => delivery),
    ['d2', 'd1'],
  );
});

test('when git is back what was deferred comes first again', async (t) => {
  const { deliver, commit, server, tried, done, runs } = await createFixture(t, 'all');
  const one = await commit({ 'src/a': '1' });
  server.fault = () => ({ kind: 'status', status: 503 });
  await deliver('d1', 'main', one);
  await tried('d1', TRIES);
  server.fault = undefined;
  await deliver('d2', 'main', await commit({ 'src/a': '2' }));
  await done('d2');
  await done('d1');
  assert.deepEqual(
    (await runs()).map(({ delivery, state }) => [delivery, state]),
    [
      ['d1', 'queued'],
      ['d2', 'queued'],
    ],
  );
});

test('what was deferred comes first also when what deploys is taken in behind a push that deploys nothing', async (t) => {
  const { deliver, commit, unreadable, tried, done, later, runs } = await createFixture(t, 'all');
  const one = await commit({ 'src/a': '1' });
  unreadable.add(one);
  await deliver('d1', 'main', one);
  await tried('d1', TRIES);
  unreadable.clear();
  const two = await commit({ 'docs/a': '2' });
  const three = await commit({ 'src/a': '3' });
  await Promise.all([
    deliver('d2', 'main', two, undefined, one, ['docs/a']),
    deliver('d3', 'main', three, undefined, two, ['src/a']),
  ]);
  await done('d3');
  later();
  await done('d1');
  assert.deepEqual(
    (await runs()).map(({ delivery }) => delivery),
    ['d1', 'd3'],
  );
});

test('what was deferred and was overtaken in its lane is superseded by what came after it', async (t) => {
  const { deliver, commit, git, unreadable, tried, done, later, runs } = await createFixture(t);
  // Neither contains the other, so that only the order of arrival tells which one is newer.
  const base = await git('rev-parse', 'HEAD');
  const one = await commit({ 'src/a': '1' }, 'release/1');
  unreadable.add(one);
  await deliver('d1', 'release/1', one);
  await tried('d1', TRIES);
  await git('reset', '--quiet', '--hard', base);
  const two = await commit({ 'src/b': '2' }, 'release/2');
  await deliver('d2', 'release/2', two);
  await done('d2');
  unreadable.clear();
  later();
  const { outcome } = await done('d1');
  const [run2, run1] = await runs();
  assert.deepEqual([run2?.delivery, run2?.state], ['d2', 'queued']);
  assert.equal(run1?.state, 'superseded');
  assert.equal(
    outcome?.summary,
    `Not deployed: Superseded by ${two.slice(0, 7)} (run ${run2?.id}), whose delivery came later but could be read sooner`,
  );
});

test('a push whose branch never has its commit is superseded in the end, takes no place of what waits, and does not count as told', async (t) => {
  const { deliver, commit, git, tried, age, get, done, store, runs } = await createFixture(t);
  const good = await commit({ 'src/a': '1' }, 'release/1');
  await deliver('d1', 'release/1', good);
  await done('d1');
  const strange = await git('commit-tree', '-p', good, '-m', 'fork', 'HEAD^{tree}');
  await git('push', '--quiet', 'origin', `${strange}:refs/pull/9/head`);
  await deliver('d2', 'release/1', strange);
  await tried('d2', 1);
  assert.equal((await get('d2')).state, 'pending');
  await age('d2', 5 * MINUTE);
  const { outcome } = await done('d2');
  const [late, now] = [strange.slice(0, 7), good.slice(0, 7)];
  const why = `Superseded: ${late} is not on the branch release/1, which is at ${now}`;
  assert.equal(outcome?.summary, `Not deployed: ${why}`);
  assert.deepEqual(
    (await runs()).map(({ delivery, state }) => [delivery, state]),
    [
      ['d1', 'queued'],
      ['d2', 'superseded'],
    ],
  );
  assert.equal(await store.pushes.isNoted('d2'), false);
});

test('a branch that git does not show forced back for long does not count as forced back', async (t) => {
  const { deliver, commit, tried, age, done, store, repository } = await createFixture(t);
  const first = await commit({ 'src/a': '1' }, 'release/1');
  const second = await commit({ 'src/a': '2' }, 'release/1');
  await deliver('d1', 'release/1', second, repository, first);
  await done('d1');
  await deliver('d2', 'release/1', first, repository, second);
  await tried('d2', 1);
  await age('d2', 5 * MINUTE);
  await done('d2');
  assert.equal(await store.pushes.isNoted('d2'), false);
});

test('a delivery that cannot be read is not given up within a day, however often it was tried', async (t) => {
  const { deliver, commit, unreadable, tried, wear, age, get, done, later } =
    await createFixture(t);
  const one = await commit({ 'src/a': '1' });
  unreadable.add(one);
  await deliver('d1', 'main', one);
  await tried('d1', 1);
  await age('d1', 24 * HOUR - MINUTE);
  await wear('d1', 2 * MOST_TRIES);
  await tried('d1', 2 * MOST_TRIES + 1);
  assert.equal((await get('d1')).state, 'pending');

  later();
  const { state, outcome } = await done('d1');
  assert.equal(state, 'failed');
  assert.equal(outcome?.summary, 'Not deployed: this one cannot be read');
});

test('nor after a day before it was tried often enough, and it is deployed when it can be read in time', async (t) => {
  const { deliver, commit, unreadable, tried, wear, age, get, done, later, runs } =
    await createFixture(t);
  const lost = await commit({ 'src/a': '1' });
  const found = await commit({ 'src/a': '2' });
  unreadable.add(lost).add(found);
  for (const [id, sha] of [
    ['d1', lost],
    ['d2', found],
  ] as const) {
    await deliver(id, 'main', sha);
    await tried(id, 1);
    await age(id, 48 * HOUR);
    await wear(id, MOST_TRIES - 2);
    await tried(id, MOST_TRIES - 1);
    assert.equal((await get(id)).state, 'pending');
    if (id === 'd2') unreadable.delete(sha);
    later();
    await done(id);
  }
  assert.deepEqual([(await get('d1')).state, (await get('d1')).attempts], ['failed', MOST_TRIES]);
  assert.deepEqual(
    [(await get('d2')).state, (await get('d2')).attempts],
    ['processed', MOST_TRIES],
  );
  assert.deepEqual(
    (await runs()).map(({ delivery }) => delivery),
    ['d2'],
  );
});
