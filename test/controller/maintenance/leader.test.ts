import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { createLeader } from '../../../src/controller/maintenance/leader.ts';
import type { Leases } from '../../../src/store/leases.ts';
import { silent } from '../../git/fixture.ts';
import { newStore } from '../../support/new-store.ts';
import { until } from '../../support/until.ts';

const NAME = 'missed pushes';
const HOUR = 60 * 60_000;
/** As long as nothing is renewed in a test that does not wait for it. */
const LONG = HOUR;
/** Renewed every ten milliseconds. */
const SHORT = 30;

/** Processes that share a store, and a clock that the test moves. */
async function createFixture(t: TestContext) {
  const directory = await mkdtemp(join(tmpdir(), 'mainsheet-leader-'));
  const store = await newStore(join(directory, 'mainsheet.db'));
  const time = { now: 1000 * HOUR };
  const ends: (() => Promise<void>)[] = [];
  t.after(async () => {
    for (const end of ends) await end();
    await store.close();
    await rm(directory, { recursive: true, force: true });
  });

  /** A process that would lead; between its looks it pauses until `look`. */
  function start(
    holder: string,
    {
      leaseMs = LONG,
      leases = store.leases,
      fail,
    }: { leaseMs?: number; leases?: Leases; fail?: () => void } = {},
  ) {
    const stopping = new AbortController();
    let wake = () => {};
    const seen = { works: 0, ended: 0, pauses: [] as number[], isWorking: false };
    const leader = createLeader({
      name: NAME,
      leases,
      holder,
      leaseMs,
      clock: {
        now: () => time.now,
        elapsed: () => time.now,
        async sleep(ms, signal) {
          const { promise, resolve } = Promise.withResolvers<void>();
          wake = resolve;
          signal?.addEventListener('abort', () => resolve());
          seen.pauses.push(ms);
          await promise;
        },
      },
      logger: silent,
      async work(signal) {
        seen.works += 1;
        fail?.();
        seen.isWorking = true;
        const { promise, resolve } = Promise.withResolvers<void>();
        signal.addEventListener('abort', () => resolve());
        if (!signal.aborted) await promise;
        seen.isWorking = false;
        seen.ended += 1;
      },
    });
    const running = leader.run(stopping.signal);
    const stop = async () => {
      stopping.abort();
      await running;
    };
    ends.push(stop);
    /** Ends its pause, and waits for the next one or for work. */
    async function look(): Promise<void> {
      const { works, pauses } = seen;
      const before = works + pauses.length;
      wake();
      await until('it has looked', () => seen.works + seen.pauses.length > before);
    }
    return { seen, stop, look };
  }

  /** Whether another process could have it. */
  const isFree = () => store.leases.take(NAME, 'another', time.now, time.now);

  return { store, time, start, isFree };
}

test('of several processes one works, and at its end another one may at once', async (t) => {
  const { start } = await createFixture(t);
  const first = start('first');
  await until('the first works', () => first.seen.isWorking);
  const second = start('second');
  await until('the second has looked', () => second.seen.pauses.length === 1);
  await second.look();
  await second.look();
  assert.equal(second.seen.works, 0);
  assert.deepEqual(new Set(second.seen.pauses), new Set([LONG / 3]));

  await first.stop();
  assert.deepEqual([first.seen.works, first.seen.ended], [1, 1], 'what it did is over');
  await second.look();
  assert.equal(second.seen.works, 1);
});

test('who has died is followed when the lease has ended, and not before', async (t) => {
  const { store, time, start } = await createFixture(t);
  await store.leases.take(NAME, 'dead', time.now + LONG, time.now);
  const { seen, look } = start('next');
  await until('it has looked', () => seen.pauses.length === 1);
  time.now += LONG - 1;
  await look();
  assert.equal(seen.works, 0);
  time.now += 1;
  await look();
  assert.equal(seen.works, 1);
});

test('the lease lasts for as long as the work does', async (t) => {
  const { store, time, start } = await createFixture(t);
  const untils: number[] = [];
  const leases: Leases = {
    ...store.leases,
    async take(name, holder, end, now) {
      untils.push(end - now);
      return await store.leases.take(name, holder, end, now);
    },
  };
  const { seen } = start('first', { leaseMs: SHORT, leases });
  for (let renewed = 1; renewed < 4; renewed += 1) {
    time.now += SHORT;
    await until('it is renewed', () => untils.length > renewed);
  }
  assert.deepEqual(new Set(untils), new Set([SHORT]));
  const renewals = untils.length;
  await until('once more, after which the time has not moved', () => untils.length > renewals + 1);
  assert.equal(await store.leases.take(NAME, 'second', time.now + LONG, time.now), false);
  assert.deepEqual([seen.works, seen.ended], [1, 0]);
});

test('work ends when another process has the lease, which keeps it', async (t) => {
  const { store, time, start, isFree } = await createFixture(t);
  const { seen, look } = start('first', { leaseMs: SHORT });
  await until('it works', () => seen.isWorking);
  assert.ok(await store.leases.take(NAME, 'second', time.now + LONG, time.now + SHORT));
  await until('it has stopped', () => seen.ended === 1 && seen.pauses.length === 1);
  await look();
  assert.equal(seen.works, 1);
  assert.equal(await isFree(), false);
});

test('while the store is away work goes on until the lease has ended, and begins again afterwards', async (t) => {
  const { store, time, start } = await createFixture(t);
  let away = false;
  let asked = 0;
  const leases: Leases = {
    ...store.leases,
    async take(...request) {
      asked += 1;
      if (away) throw new Error('the store is away');
      return await store.leases.take(...request);
    },
  };
  const { seen, look } = start('first', { leaseMs: SHORT, leases });
  const askedAgain = async () => {
    const before = asked;
    await until('it has asked again', () => asked > before + 2);
  };
  await until('it works', () => seen.isWorking);
  time.now += SHORT;
  await askedAgain();
  away = true;
  time.now += SHORT - 1;
  await askedAgain();
  assert.equal(seen.isWorking, true);
  time.now += 1;
  await until('it has stopped', () => seen.pauses.length === 1);
  await look();
  assert.deepEqual([seen.works, seen.isWorking], [1, false]);
  away = false;
  await look();
  assert.deepEqual([seen.works, seen.isWorking], [2, true]);
});

test('work that fails gives the lease back, and is begun again after a pause', async (t) => {
  const { start, isFree } = await createFixture(t);
  let broken = true;
  const { seen, look } = start('first', {
    fail: () => {
      if (broken) throw new Error('broken');
    },
  });
  await until('it has failed', () => seen.pauses.length === 1);
  assert.equal(await isFree(), true);
  broken = false;
  await look();
  assert.deepEqual([seen.works, seen.isWorking], [2, true]);
});
