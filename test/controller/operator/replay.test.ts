import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createReplay } from '../../../src/controller/operator/replay.ts';
import { systemClock } from '../../../src/lib/clock.ts';
import { sampleDelivery } from '../../store/samples.ts';
import { newStore } from '../../support/new-store.ts';

test('a replay makes no run of a payload that was removed while git was asked', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'mainsheet-replay-'));
  const store = await newStore(join(directory, 'mainsheet.db'));
  t.after(async () => {
    await store.close();
    await rm(directory, { recursive: true, force: true });
  });
  await store.accept(sampleDelivery('d1'));
  await store.inbox.close('d1', 'processed', { summary: '', specs: [] }, 2000);

  let made = 0;
  const replay = createReplay({
    store,
    async judge() {
      await store.retention.payloads({ before: Infinity, count: 0 }, Date.now(), 0, 10);
      return { event: { kind: 'ping', repository: undefined }, verdicts: [] };
    },
    async makeRuns() {
      made += 1;
      return {
        bySpec: new Map(),
        batched: new Map(),
        refused: new Map(),
        changed: [],
        paused: [],
      };
    },
    announce: () => assert.fail('nothing was done'),
    clock: systemClock,
  });

  await assert.rejects(replay('d1', 'ada'), { code: 'delivery-forgotten' });
  assert.equal(made, 0);
});
