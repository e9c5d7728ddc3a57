import assert from 'node:assert/strict';
import { test } from 'node:test';
import { getTasks } from 'node-cron';
import { pino } from 'pino';
import { keepSchedule } from '../../src/controller/schedule.ts';

const logger = pino({ level: 'silent' });
const hourly = (act: () => Promise<void>) => ({ name: 'look', cron: '0 * * * *', act });

test('an appointment is kept at the start, and leaves nothing behind at the end', async () => {
  const end = new AbortController();
  let kept = 0;
  const act = async () => void (kept += 1);
  const quiet = keepSchedule([{ ...hourly(act), atStart: true }], logger, end.signal);
  assert.equal(getTasks().size, 1);
  await quiet();
  end.abort();
  await quiet();
  assert.equal(kept, 1);
  assert.equal(getTasks().size, 0);
});

test('a schedule whose end has come already keeps no appointment, and no process from ending (G11)', async () => {
  let kept = 0;
  const act = async () => void (kept += 1);
  const over = AbortSignal.abort();
  await keepSchedule([{ ...hourly(act), atStart: true }], logger, over)();
  assert.equal(kept, 0);
  assert.equal(getTasks().size, 0);
});
