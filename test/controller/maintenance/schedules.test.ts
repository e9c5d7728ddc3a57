import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { createSchedules } from '../../../src/controller/maintenance/schedules.ts';
import type { ScheduleTrigger } from '../../../src/model/schedule.ts';
import { parseSpecs } from '../../../src/spec/load.ts';
import type { Store } from '../../../src/store/index.ts';
import { sampleLoaded } from '../../runs/samples.ts';
import { recordFilled } from '../../support/filled.ts';
import { bothEngines } from '../../support/engines.ts';
import { recordLog } from '../../support/log.ts';

const START = Date.parse('2026-11-30T05:30Z');
const MINUTE = 60_000;

function schedulesOf(written: string): ScheduleTrigger[] {
  const { specs } = parseSpecs(
    'x.yaml',
    `{ name: nightly, repository: acme/shop, on: { schedule: ${written} }, steps: [{ run: "true" }] }`,
  );
  return specs[0]?.spec.on.schedules ?? [];
}

for (const [engine, open] of bothEngines()) {
  describe(`schedules on ${engine}`, () => {
    /** A replica of Mainsheet, as far as its schedules go. */
    function replica(store: Store, written: string) {
      let now = START;
      const { logger, log } = recordLog();
      const on = { push: undefined, release: undefined, workflowRun: undefined };
      const specs = [
        sampleLoaded({ name: 'nightly', on: { ...on, schedules: schedulesOf(written) } }),
      ];
      const look = createSchedules({
        store,
        catalog: { current: () => ({ specs, problems: [], loadedAt: 1, stale: false }) },
        clock: { now: () => now, elapsed: () => now, sleep: async () => undefined },
        logger,
      });
      return {
        log,
        async lookAt(time: string) {
          now = Date.parse(time);
          await look(new AbortController().signal);
        },
      };
    }

    const delivered = async (store: Store) =>
      (await store.inbox.list({ limit: 50, before: undefined })).items
        .map(({ id, event }) => [id, event])
        .toReversed();

    async function setUp(t: TestContext, written: string) {
      const store = await open(t);
      const one = replica(store, written);
      await one.lookAt('2026-11-30T05:30Z');
      assert.deepEqual(await delivered(store), [], 'a new schedule begins with its next time');
      return { store, one, filled: recordFilled(store) };
    }

    test('each time comes once, with a payload that says what was meant', async (t) => {
      const { store, one, filled } = await setUp(t, '{ cron: "0 6 * * *" }');
      await one.lookAt('2026-11-30T05:59:59Z');
      assert.deepEqual(filled, []);
      await one.lookAt('2026-11-30T06:00Z');
      await one.lookAt('2026-11-30T06:01Z');
      await one.lookAt('2026-12-01T06:00Z');
      const [first, second, ...more] = await delivered(store);
      assert.deepEqual(first, ['schedule:nightly:2026-11-30T06:00:00.000Z', 'schedule:nightly']);
      assert.deepEqual(second, ['schedule:nightly:2026-12-01T06:00:00.000Z', 'schedule:nightly']);
      assert.deepEqual(more, []);
      assert.deepEqual(filled, ['inbox', 'inbox'], 'the intake hears of it');
      const claimed = await store.inbox.get('schedule:nightly:2026-11-30T06:00:00.000Z');
      assert.deepEqual(JSON.parse(claimed?.payload ?? ''), {
        spec: 'nightly',
        schedule: '0 6 * * *',
        timezone: 'UTC',
        due: '2026-11-30T06:00:00.000Z',
      });
    });

    test('a clock that was years ahead for a while does not silence a schedule until then', async (t) => {
      const { store, one } = await setUp(t, '{ cron: "0 6 * * *" }');
      await one.lookAt('2031-01-01T00:00Z');
      assert.equal((await delivered(store)).length, 1, 'what had been due came');
      await one.lookAt('2026-12-01T05:30Z');
      await one.lookAt('2026-12-01T06:00Z');
      const ids = (await delivered(store)).map(([id]) => id);
      assert.deepEqual(ids.slice(1), ['schedule:nightly:2026-12-01T06:00:00.000Z']);
    });

    test('two schedules that mean one time both come when they deploy different refs', async (t) => {
      const { store, one } = await setUp(
        t,
        '[{ cron: "0 6 * * *" }, { cron: "0 6 * * 1", ref: release/1 }]',
      );
      await one.lookAt('2026-11-30T06:00Z');
      const ids = (await delivered(store)).map(([id]) => id);
      const id = 'schedule:nightly:2026-11-30T06:00:00.000Z';
      assert.deepEqual(ids, [id, `${id}:release~2F1`]);
    });

    test('of several replicas that look at once, one makes the delivery', async (t) => {
      const { store, one, filled } = await setUp(t, '{ cron: "0 6 * * *" }');
      const others = [
        replica(store, '{ cron: "0 6 * * *" }'),
        replica(store, '{ cron: "0 6 * * *" }'),
      ];
      const all = [one, ...others];
      await Promise.all(all.map((each) => each.lookAt('2026-11-30T06:00Z')));
      assert.equal((await delivered(store)).length, 1);
      assert.deepEqual(filled, ['inbox']);
    });

    test('one run makes up for all times that passed while nothing looked, or none when the spec says so', async (t) => {
      const { store, one } = await setUp(
        t,
        '[{ cron: "0 * * * *" }, { cron: "30 * * * *", missed: skip }]',
      );
      await one.lookAt('2026-11-30T11:45Z');
      assert.deepEqual(
        (await delivered(store)).map(([id]) => id),
        ['schedule:nightly:2026-11-30T06:00:00.000Z'],
      );
      assert.ok(
        one.log.some(
          ({ msg, schedule }) => /skipped/.test(String(msg)) && schedule === '30 * * * *',
        ),
      );
      const skipped = await store.cursors.get('missed schedule nightly UTC 30 * * * *');
      assert.equal(skipped, '2026-11-30T06:30:00.000Z');
      await one.lookAt('2026-11-30T12:30:30Z');
      assert.deepEqual(
        (await delivered(store)).slice(1).map(([id]) => id),
        ['schedule:nightly:2026-11-30T12:00:00.000Z', 'schedule:nightly:2026-11-30T12:30:00.000Z'],
        'after that both go on',
      );
    });

    test('what fails while a time comes takes nothing: the time comes with the next look', async (t) => {
      const { store, one } = await setUp(t, '{ cron: "0 6 * * *" }');
      const failing: Store = {
        ...store,
        lazily: (work) =>
          store.lazily(async (tables) => {
            await work(tables);
            throw new Error('the process died here');
          }),
      };
      await assert.rejects(replica(failing, '{ cron: "0 6 * * *" }').lookAt('2026-11-30T06:00Z'));
      assert.deepEqual(await delivered(store), []);
      await one.lookAt(new Date(Date.parse('2026-11-30T06:00Z') + MINUTE).toISOString());
      assert.equal((await delivered(store)).length, 1);
    });
  });
}
