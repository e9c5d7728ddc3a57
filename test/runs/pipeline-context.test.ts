import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createBroadcast } from '../../src/lib/broadcast.ts';
import { systemClock } from '../../src/lib/clock.ts';
import type { News } from '../../src/model/news.ts';
import type { Step } from '../../src/model/run.ts';
import { saveStep } from '../../src/runs/pipeline-context.ts';
import type { Store } from '../../src/store/index.ts';
import { sampleRun } from '../store/samples.ts';

const STEP: Step = {
  index: 0,
  name: 'Build',
  state: 'running',
  attempts: 1,
  exitCode: undefined,
  reason: '',
  startedAt: 1,
  finishedAt: undefined,
};

test('a step does not begin before the disk has that it does (G6)', async () => {
  const disk = Promise.withResolvers<void>();
  let saved = false;
  const store = {
    steps: { update: async () => true },
    flushed: () => disk.promise,
  } as unknown as Store;
  const deps = { store, clock: systemClock, news: createBroadcast<News>() };
  const saving = saveStep(deps, { ...sampleRun('r1'), sequence: 1 }, STEP).then(() => {
    saved = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(saved, false);
  disk.resolve();
  await saving;
});
