import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { createBudget, type Budget } from '../../src/github/budget.ts';
import type { WriteLimits } from '../../src/github/room.ts';
import { RetryableError } from '../../src/lib/errors.ts';
import { IMPORTANCE, type WriteLog } from '../../src/model/importance.ts';
import { newStore } from '../support/new-store.ts';
import { createTestClock } from './support.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
/** How long what was allowed may be on its way. */
const UNDER_WAY = 10 * SECOND;
const { final, notification, creation, intermediate } = IMPORTANCE;

/** Processes that share a store and a clock. */
async function begin(t: TestContext, limits: Partial<WriteLimits> = {}) {
  const directory = await mkdtemp(join(tmpdir(), 'mainsheet-budget-'));
  const store = await newStore(join(directory, 'mainsheet.db'));
  t.after(async () => {
    await store.close();
    await rm(directory, { recursive: true, force: true });
  });
  const clock = createTestClock();
  const start = ({ shared = false, log = store.githubWrites } = {}): Budget =>
    createBudget({ clock, limits: { perMinute: 80, perHour: 500, ...limits }, shared, log });
  return { clock, start, log: store.githubWrites };
}

/** Takes until nothing more is given, and says how often that was. */
async function takeAll(budget: Budget, account: string): Promise<number> {
  for (let taken = 0; ; taken += 1) {
    const grant = await budget.take(account, final);
    if (grant === undefined) return taken;
    grant.sent();
  }
}

function failure(code: string, retryAfterMs?: number): RetryableError {
  return new RetryableError(code, 'no', { retryAfterMs });
}

describe('the budget', () => {
  test('allows no more in any minute and hour, however many ask and however long it takes to arrive', async (t) => {
    const { clock, start } = await begin(t, { perMinute: 4, perHour: 20 });
    const processes = [start(), start(), start()];
    const arrivals: number[] = [];
    // Numbers that look random and are the same each time.
    let state = 7;
    const random = () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
    for (const until = clock.now() + 6 * HOUR; clock.now() < until;) {
      clock.advance(random() < 0.01 ? random() * 20 * MINUTE : random() * 5 * SECOND);
      const process = processes[Math.floor(random() * processes.length)] ?? start();
      const grant = await process.take('acme', final);
      if (grant !== undefined) arrivals.push(clock.now() + random() * UNDER_WAY);
      grant?.sent();
    }
    arrivals.sort((a, b) => a - b);
    const most = (windowMs: number) =>
      Math.max(
        ...arrivals.map((at) => arrivals.filter((by) => by <= at && by > at - windowMs).length),
      );
    assert.ok(most(MINUTE) <= 4, `${most(MINUTE)} in a minute`);
    assert.ok(most(HOUR) <= 20, `${most(HOUR)} in an hour`);
    assert.ok(most(MINUTE) === 4 && most(HOUR) === 20, 'and what is allowed is used');
  });

  test('counts what was allowed to a process that was killed before it could say what came of it', async (t) => {
    const { start } = await begin(t, { perMinute: 3 });
    const killed = start();
    assert.ok(await killed.take('acme', final));
    assert.ok(await killed.take('acme', final));
    assert.equal(await takeAll(start(), 'acme'), 1);
  });

  test('is shared by processes that ask at the same time', async (t) => {
    const { start } = await begin(t, { perMinute: 20 });
    const processes = [start(), start(), start()];
    const grants = await Promise.all(
      Array.from(
        { length: 60 },
        async (_, index) => await processes[index % 3]?.take('acme', final),
      ),
    );
    assert.equal(grants.filter((grant) => grant !== undefined).length, 20);
  });

  test('is one for each owner, and one for all with a token', async (t) => {
    const { start } = await begin(t, { perMinute: 3 });
    const apart = start();
    assert.equal(await takeAll(apart, 'acme'), 3);
    assert.equal(await takeAll(apart, 'other'), 3);
    const shared = start({ shared: true });
    assert.ok(await shared.take('acme', final));
    assert.ok(await shared.take('other', final));
    assert.equal(await takeAll(shared, 'acme'), 1);
    assert.equal(await shared.take('third', final), undefined);
    assert.deepEqual(
      shared.usage().map(({ account, minute }) => [account, minute.used]),
      [['token', 3]],
    );
    assert.deepEqual(await shared.held(), [{ account: undefined, importance: final }]);
  });

  test('says from which importance on nothing is to be claimed', async (t) => {
    const { clock, start } = await begin(t, { perMinute: 8, perHour: 50 });
    const budget = start();
    assert.deepEqual(await budget.held(), []);
    for (let number = 0; number < 6; number += 1) {
      (await budget.take('acme', intermediate))?.sent();
    }
    assert.deepEqual(await budget.held(), [{ account: 'acme', importance: creation }]);
    assert.equal(await budget.take('acme', creation), undefined);
    (await budget.take('acme', notification))?.sent();
    (await budget.take('acme', final))?.sent();
    assert.deepEqual(await budget.held(), [{ account: 'acme', importance: final }]);
    clock.advance(2 * MINUTE);
    assert.deepEqual(await budget.held(), []);
  });

  test('learns what others have written, and shows it', async (t) => {
    const { clock, start } = await begin(t, { perMinute: 8, perHour: 50 });
    const budget = start();
    assert.deepEqual(await budget.held(), []);
    await takeAll(start(), 'acme');
    assert.deepEqual(budget.usage(), []);
    clock.advance(SECOND);
    assert.deepEqual(await budget.held(), [{ account: 'acme', importance: final }]);
    assert.deepEqual(budget.usage(), [
      {
        account: 'acme',
        minute: { used: 8, limit: 8 },
        hour: { used: 8, limit: 50 },
        primaryRemaining: undefined,
        pausedMs: 0,
        rateLimited: 0,
      },
    ]);
  });

  test('knows of its own writes at once', async (t) => {
    const { start } = await begin(t, { perMinute: 8 });
    const budget = start();
    assert.deepEqual(await budget.held(), []);
    await takeAll(budget, 'acme');
    assert.deepEqual(await budget.held(), [{ account: 'acme', importance: final }]);
    assert.equal(budget.usage()[0]?.minute.used, 8);
  });

  test('gives what is left to the first of those who ask at once, in one transaction', async (t) => {
    const { start, log } = await begin(t, { perMinute: 8 });
    let transactions = 0;
    const counting: WriteLog = {
      ...log,
      async reserve(...asked) {
        transactions += 1;
        await log.reserve(...asked);
      },
    };
    const budget = start({ log: counting });
    const grants = await Promise.all(
      [
        ...Array.from({ length: 5 }, () => final),
        ...Array.from({ length: 4 }, () => intermediate),
        ...Array.from({ length: 4 }, () => final),
      ].map((importance) => budget.take('acme', importance)),
    );
    assert.deepEqual(
      grants.map((grant) => (grant === undefined ? '-' : 'x')).join(''),
      'xxxxxx---xx--',
    );
    assert.equal(transactions, 1);
  });

  test('forgets accounts and writes that no longer matter', async (t) => {
    const { clock, start, log } = await begin(t);
    const budget = start();
    (await budget.take('acme', final))?.sent();
    clock.advance(HOUR);
    await budget.held();
    assert.equal(budget.usage().length, 1);
    clock.advance(MINUTE);
    await budget.held();
    assert.deepEqual(budget.usage(), []);
    const then = clock.now();
    clock.advance(HOUR);
    await budget.held();
    assert.equal((await log.counts(then - MINUTE)).size, 0);
  });

  test('allows nothing in a pause that GitHub asked for, then one at a time until one works', async (t) => {
    const { clock, start } = await begin(t);
    const budget = start();
    const first = await budget.take('acme', final);
    first?.failed(failure('github-rate-limited', 90 * SECOND));
    assert.partialDeepStrictEqual(budget.usage()[0], { pausedMs: 90 * SECOND, rateLimited: 1 });
    clock.advance(90 * SECOND - 1);
    assert.equal(await budget.take('acme', final), undefined);
    assert.ok(await budget.take('other', final), 'another installation is not paused');
    clock.advance(1);
    const trial = await budget.take('acme', final);
    assert.ok(trial);
    assert.equal(await budget.take('acme', final), undefined);
    trial.sent();
    assert.ok(await budget.take('acme', final));
    assert.ok(await budget.take('acme', final));
  });

  test('a pause is over when its time has gone by, to whatever the clock is set meanwhile', async (t) => {
    const { clock, start } = await begin(t);
    const budget = start();
    (await budget.take('acme', final))?.failed(failure('github-rate-limited', MINUTE));
    clock.set(clock.now() + HOUR);
    assert.equal(await budget.take('acme', final), undefined);
    clock.set(clock.now() - 2 * HOUR);
    clock.advance(MINUTE);
    assert.equal(budget.usage()[0]?.pausedMs, 0);
    assert.ok(await budget.take('acme', final));
  });

  test('leaves the last of the primary limit alone until it is reset, and believes in no reset later than in an hour', async (t) => {
    const { clock, start } = await begin(t);
    const budget = start();
    const resetAt = clock.now() + 10 * MINUTE;
    budget.observe('acme', { limit: 5000, remaining: 51, resetAt });
    assert.equal(await budget.take('acme', creation), undefined);
    assert.ok(await budget.take('acme', final));
    assert.equal(await budget.take('acme', final), undefined, 'one is under way');
    assert.equal(budget.usage()[0]?.primaryRemaining, 51);
    budget.observe('acme', { limit: 5000, remaining: 0, resetAt });
    clock.advance(10 * MINUTE);
    assert.equal(budget.usage()[0]?.primaryRemaining, undefined);
    assert.ok(await budget.take('acme', final));
    budget.observe('acme', { limit: 5000, remaining: 0, resetAt: clock.now() + 100 * HOUR });
    assert.equal(await budget.take('acme', final), undefined);
    clock.advance(HOUR);
    assert.ok(await budget.take('acme', final));
  });

  test('is ample for an account until half of its primary limit is used up', async (t) => {
    const { clock, start } = await begin(t);
    const budget = start();
    assert.equal(budget.isAmple('acme'), true);
    const resetAt = clock.now() + MINUTE;
    budget.observe('acme', { limit: 5000, remaining: 2500, resetAt });
    assert.equal(budget.isAmple('acme'), true);
    budget.observe('acme', { limit: 5000, remaining: 2499, resetAt });
    assert.deepEqual([budget.isAmple('acme'), budget.isAmple('other')], [false, true]);
    clock.advance(MINUTE);
    assert.equal(budget.isAmple('acme'), true);
  });

  test('has nothing under way after the log failed', async (t) => {
    const { start, log } = await begin(t);
    let broken = true;
    const failing: WriteLog = {
      ...log,
      reserve: (...asked) =>
        broken ? Promise.reject(failure('store-away')) : log.reserve(...asked),
    };
    const budget = start({ log: failing });
    await assert.rejects(budget.take('acme', final), RetryableError);
    await assert.rejects(budget.take('acme', final), RetryableError);
    broken = false;
    // In trouble only one at a time is allowed: were the failed ones counted as under way, none would be.
    (await budget.take('acme', final))?.failed(failure('github-rate-limited', 0));
    assert.equal(budget.usage()[0]?.minute.used, 1);
    assert.ok(await budget.take('acme', final));
  });
});
