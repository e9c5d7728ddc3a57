import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createReadInsights } from '../../../src/http/read/insights.ts';
import { DAY_MS } from '../../../src/model/insights.ts';
import type { StoredRun } from '../../../src/store/insights.ts';

/** One a day, the newest first. */
const RUNS = Array.from({ length: 4 }, (_, index): StoredRun => ({
  id: `r${index}`,
  spec: 'storefront',
  environment: 'production',
  lane: 'main',
  cause: 'event',
  state: 'succeeded',
  sha: String(index),
  delivery: `d${index}`,
  createdAt: 0,
  startedAt: 0,
  finishedAt: (30 - index) * DAY_MS - 1,
}));

test('of a range with more runs than are looked at, figures are of the time that was looked at', async () => {
  for (const [isWhole, from, perDay] of [
    [true, 0, 4 / 30],
    [false, 27 * DAY_MS - 1, 4 / (3 + 1 / DAY_MS)],
  ] as const) {
    const read = createReadInsights({
      insights: {
        runs: async () => ({ runs: RUNS, before: [], isWhole }),
        liveBefore: async () => new Set(),
        steps: async () => [],
        pushTimes: async () => new Map(),
        pushes: async () => [],
      },
    });
    const view = await read({ from: 0, to: 30 * DAY_MS }, {});
    assert.deepEqual(view.range, { from, to: 30 * DAY_MS });
    assert.equal(view.buckets[0]?.from, from);
    assert.equal(view.all.perDay, perDay);
    assert.equal(view.all.deployments, 4);
  }
});

test('a commit that had been live before, which the store is asked about once, has no lead time', async () => {
  for (const isLive of [false, true]) {
    const asked: string[] = [];
    const read = createReadInsights({
      insights: {
        runs: async () => ({ runs: RUNS, before: [], isWhole: true }),
        liveBefore: async (ids) => {
          asked.push(...ids);
          return new Set(isLive ? ids : []);
        },
        steps: async () => [],
        pushTimes: async (ids) => new Map(ids.map((id) => [id, 0])),
        pushes: async () => [],
      },
    });
    for (const _ of ['first', 'again']) {
      const { all } = await read({ from: 0, to: 30 * DAY_MS }, {});
      assert.equal(all.pushToLive?.count, isLive ? undefined : 4);
    }
    assert.equal(asked.length, 4);
  }
});
