import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { createBroadcast } from '../../src/lib/broadcast.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { createMaskers } from '../../src/lib/masking.ts';
import type { News } from '../../src/model/news.ts';
import { createRunLog } from '../../src/runs/run-log.ts';
import { sampleRun } from '../store/samples.ts';
import { newStore } from '../support/new-store.ts';

async function setUp(t: TestContext) {
  const root = await mkdtemp(join(tmpdir(), 'mainsheet-run-log-'));
  t.after(() => rm(root, { recursive: true }));
  const store = await newStore(join(root, 'mainsheet.db'));
  const run = await store.runs.insert(sampleRun('r1', { attempts: 1 }), ['Launch']);
  assert.ok(run);
  const createMasker = createMaskers(['the-secret']);
  const log = await createRunLog({
    store,
    run,
    createMasker,
    maxBytes: 1000,
    clock: systemClock,
    news: createBroadcast<News>(),
  });
  const text = async () => (await store.logs.read('r1', -1, 99)).map((each) => each.text).join('');
  return { store, log, text };
}

test('output and what is kept with it are stored together, and what the log holds back is not written by a step that goes on', async (t) => {
  for (const goesOn of [true, false]) {
    const { store, log, text } = await setUp(t);
    const held: number[] = [];
    const save = async (_tables: unknown, units: number) => void held.push(units);
    await log.writeWith(0, 'stdout', 'x the-secret y the-sec', save);
    assert.deepEqual([held, await text()], [[7], 'x *** y ']);
    log.endStep(0, goesOn);
    await log.close();
    assert.equal(await text(), goesOn ? 'x *** y ' : 'x *** y the-sec');
    await store.close();
  }
});

test('output whose keeping fails is not in the log', async (t) => {
  const { store, log, text } = await setUp(t);
  const away = new Error('the row is another’s');
  await assert.rejects(
    log.writeWith(0, 'stdout', 'x', () => Promise.reject(away)),
    away,
  );
  assert.equal(await text(), '');
  await assert.rejects(log.close(), away);
  await store.close();
});
