import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { getTasks } from 'node-cron';
import { pino } from 'pino';
import { startCronJobs } from '../../../src/controller/maintenance/cron-jobs.ts';
import { recordLog } from '../../support/log.ts';

const logger = pino({ level: 'silent' });
const hourly = (act: () => Promise<void>) => ({ name: 'look', cron: '0 * * * *', act });

test('a cron job runs at the start when it says so, and leaves nothing behind at the end', async () => {
  const end = new AbortController();
  let kept = 0;
  const act = async () => void (kept += 1);
  const quiet = startCronJobs([{ ...hourly(act), atStart: true }], logger, end.signal);
  assert.equal(getTasks().size, 1);
  await quiet();
  end.abort();
  await quiet();
  assert.equal(kept, 1);
  assert.equal(getTasks().size, 0);
});

test('after the end no cron job starts, and none keeps the process from ending (G11)', async () => {
  let kept = 0;
  const act = async () => void (kept += 1);
  const over = AbortSignal.abort();
  await startCronJobs([{ ...hourly(act), atStart: true }], logger, over)();
  assert.equal(kept, 0);
  assert.equal(getTasks().size, 0);
});

test('a cron job that still runs is not started a second time, and one that failed runs the next time', async (t) => {
  const end = new AbortController();
  t.after(() => end.abort());
  const { logger: recorded, log } = recordLog();
  const { promise, resolve } = Promise.withResolvers<void>();
  let begun = 0;
  let ended = 0;
  const act = async () => {
    begun += 1;
    if (begun === 1) await promise;
    await setImmediate();
    ended += 1;
    if (begun === 2) throw new Error('not now');
  };
  const quiet = startCronJobs([hourly(act)], recorded, end.signal);
  const [times] = getTasks().values();
  const strike = async () => void (await times?.execute());
  await strike();
  await strike();
  assert.equal(begun, 1);
  resolve();
  await quiet();
  assert.equal(ended, 1, 'the wait for the end is a wait for what runs');
  await strike();
  await quiet();
  assert.deepEqual(
    log.map(({ msg, error }) => [msg, error]),
    [['cron job failed', 'not now']],
  );
  await strike();
  await quiet();
  assert.equal(begun, 3);
});
