import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DAY_MS, insightsOf, percentilesOf, type EndedRun } from '../../src/model/insights.ts';

const RANGE = { from: 0, to: 10 * DAY_MS };

/** A run that was pushed at 100, made at 200, begun at 300 and ends at `finishedAt`. */
function ended(sha: string, finishedAt: number, more: Partial<EndedRun> = {}): EndedRun {
  return {
    id: `${sha} ${finishedAt}`,
    spec: 'storefront',
    environment: 'production',
    lane: 'main',
    cause: 'event',
    state: 'succeeded',
    sha,
    createdAt: 200,
    startedAt: 300,
    finishedAt,
    pushedAt: 100,
    committedAt: 50,
    wasLive: false,
    ...more,
  };
}

const failed = { state: 'failed' } as const;
const rollback = { cause: 'rollback' } as const;

function metrics(...runs: EndedRun[]) {
  return insightsOf(runs, RANGE).all;
}

test('the frequency counts what went live in a day, without failures and rollbacks', () => {
  const all = metrics(
    ended('a', 1000),
    ended('b', 2000, failed),
    ended('a', 3000, rollback),
    ended('c', 4000),
  );
  assert.deepEqual([all.deployments, all.succeeded, all.perDay], [3, 2, 0.2]);
});

test('what ended outside of the range is not counted', () => {
  assert.equal(metrics(ended('a', -1), ended('b', RANGE.to)).deployments, 0);
});

test('the lead time ends when a commit is live for the first time', () => {
  const all = metrics(
    ended('a', 1000, failed),
    ended('a', 2050, { cause: 'retry' }),
    ended('a', 9000, { cause: 'deploy' }),
  );
  assert.deepEqual(all.commitToLive, { count: 1, p50: 2000, p90: 2000, p99: 2000 });
  assert.deepEqual(all.pushToLive, { count: 1, p50: 1950, p90: 1950, p99: 1950 });
});

test('a commit that was live before the range does not go live for the first time in it', () => {
  const all = metrics(
    ended('a', 1000, { cause: 'retry', wasLive: true }),
    ended('b', -1),
    ended('b', 2000, { cause: 'deploy' }),
  );
  assert.deepEqual([all.deployments, all.commitToLive, all.pushToLive], [2, undefined, undefined]);
});

test('what failed before the range is restored in it, and what was live before it is rolled back in it', () => {
  const broken = metrics(ended('a', -4000, failed), ended('b', -3000, failed), ended('c', 1000));
  assert.equal(broken.timeToRestore?.p50, 5000);
  assert.deepEqual([broken.failed, broken.deployments], [0, 1]);
  const back = metrics(ended('a', -3000), ended('b', -2000), ended('a', 1000, rollback));
  assert.equal(back.timeToRestore?.p50, 3000);
  const mended = metrics(ended('a', -3000, failed), ended('b', -2000), ended('c', 1000));
  assert.equal(mended.timeToRestore, undefined);
  const still = insightsOf([ended('a', -3000, failed)], RANGE);
  assert.deepEqual([still.all.unrestored, still.groups], [0, []]);
});

test('no lead time is told of a commit whose time is not known, or later than its deployment', () => {
  const all = metrics(
    ended('a', 1000, { committedAt: undefined, pushedAt: undefined }),
    ended('b', 2000, { committedAt: 5000, pushedAt: 5000 }),
  );
  assert.deepEqual([all.commitToLive, all.pushToLive], [undefined, undefined]);
});

test('a failure is restored by the next success, counted from the first failure', () => {
  const all = metrics(ended('a', 1000, failed), ended('b', 2000, failed), ended('c', 5000));
  assert.deepEqual(all.timeToRestore, { count: 1, p50: 4000, p90: 4000, p99: 4000 });
  assert.deepEqual([all.failed, all.deployments, all.unrestored], [2, 3, 0]);
});

test('a rollback restores, and what it took away has failed', () => {
  const all = metrics(ended('a', 1000), ended('b', 2000), ended('a', 5000, rollback));
  assert.deepEqual(all.timeToRestore, { count: 1, p50: 3000, p90: 3000, p99: 3000 });
  assert.equal(all.changeFailureRate, 0.5);
});

test('a rollback after a failure restores that failure, and what was live before has not failed', () => {
  const all = metrics(ended('b', 1000), ended('c', 2000, failed), ended('a', 5000, rollback));
  assert.equal(all.timeToRestore?.p50, 3000);
  assert.equal(all.failed, 1);
});

test('a failure that nothing has mended is told of', () => {
  const all = metrics(ended('a', 1000), ended('b', 2000, failed));
  assert.deepEqual([all.unrestored, all.timeToRestore], [1, undefined]);
});

test('a success in one lane restores nothing in another', () => {
  const all = metrics(ended('a', 1000, failed), ended('b', 2000, { lane: 'other' }));
  assert.deepEqual([all.unrestored, all.timeToRestore], [1, undefined]);
});

test('each spec in each environment has metrics of its own, in the order of their names', () => {
  const { groups } = insightsOf(
    [
      ended('a', 1000),
      ended('b', 2000, { environment: 'preview', lane: 'x' }),
      ended('c', 2000, { environment: 'preview', lane: 'y' }),
      ended('d', 2000, { spec: 'api' }),
    ],
    RANGE,
  );
  assert.deepEqual(
    groups.map(({ spec, environment, deployments }) => [spec, environment, deployments]),
    [
      ['api', 'production', 1],
      ['storefront', 'preview', 2],
      ['storefront', 'production', 1],
    ],
  );
});

test('each day of the range is there, with what went live and what failed', () => {
  const { days } = insightsOf(
    [ended('a', 1000), ended('b', DAY_MS + 1000, failed), ended('c', DAY_MS + 2000)],
    { from: 500, to: 3 * DAY_MS },
  );
  assert.deepEqual(days, [
    { at: 0, succeeded: 1, failed: 0 },
    { at: DAY_MS, succeeded: 1, failed: 1 },
    { at: 2 * DAY_MS, succeeded: 0, failed: 0 },
  ]);
});

test('how long runs took and waited is told, of those that began', () => {
  const all = metrics(ended('a', 1300), ended('b', 2000, { ...failed, startedAt: undefined }));
  assert.deepEqual([all.duration?.count, all.duration?.p50, all.queue?.p50], [1, 1000, 100]);
});

test('of no runs there are no rates', () => {
  const all = metrics();
  assert.deepEqual([all.perDay, all.changeFailureRate, all.duration], [0, undefined, undefined]);
});

test('a percentile is the nearest rank', () => {
  const hundred = Array.from({ length: 100 }, (_, index) => 100 - index);
  assert.deepEqual(percentilesOf(hundred), { count: 100, p50: 50, p90: 90, p99: 99 });
  assert.equal(percentilesOf([]), undefined);
});

test('each day is a bucket with what ended in it, and one in which nothing did has no rates', () => {
  const { unit, buckets } = insightsOf(
    [
      ended('a', 1000),
      ended('b', DAY_MS + 1000, failed),
      ended('c', 3 * DAY_MS + 1000),
      ended('d', 3 * DAY_MS + 2000),
    ],
    { from: 500, to: 3 * DAY_MS + 5000 },
  );
  assert.equal(unit, 'day');
  assert.deepEqual(
    buckets.map(({ from, to, deployments, failed: lost, changeFailureRate: rate }) => [
      from,
      to,
      deployments,
      lost,
      rate,
    ]),
    [
      [500, DAY_MS, 1, 0, 0],
      [DAY_MS, 2 * DAY_MS, 1, 1, 1],
      [2 * DAY_MS, 3 * DAY_MS, 0, 0, undefined],
      [3 * DAY_MS, 3 * DAY_MS + 5000, 2, 0, 0],
    ],
  );
  assert.deepEqual(
    buckets.map(({ commitToLive }) => commitToLive?.count),
    [1, undefined, undefined, 2],
  );
});

test('a deployment that was rolled back has failed on its day, and was restored on the day of the rollback', () => {
  const { buckets } = insightsOf(
    [ended('a', 1000), ended('b', 2000), ended('a', DAY_MS + 2000, rollback)],
    { from: 0, to: 2 * DAY_MS },
  );
  assert.deepEqual(
    buckets.map(({ failed: lost, timeToRestore }) => [lost, timeToRestore?.p50]),
    [
      [1, undefined],
      [0, DAY_MS],
    ],
  );
});

test('of more than 62 days each week is a bucket, from Monday on', () => {
  // A Sunday.
  const from = Date.parse('2026-03-01');
  const { unit, buckets } = insightsOf(
    [ended('a', from + DAY_MS - 1), ended('b', from + DAY_MS), ended('c', from + 8 * DAY_MS - 1)],
    { from, to: from + 63 * DAY_MS },
  );
  assert.equal(unit, 'week');
  assert.deepEqual(
    buckets
      .slice(0, 3)
      .map(({ from: begin, deployments }) => [
        new Date(begin).toISOString().slice(0, 10),
        deployments,
      ]),
    [
      ['2026-03-01', 1],
      ['2026-03-02', 2],
      ['2026-03-09', 0],
    ],
  );
  assert.equal(insightsOf([], { from, to: from + 62 * DAY_MS }).unit, 'day');
});
