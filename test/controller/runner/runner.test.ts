import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createRunner } from '../../../src/controller/runner/runner.ts';
import { createBroadcast } from '../../../src/lib/broadcast.ts';
import { systemClock } from '../../../src/lib/clock.ts';
import { silentLogger } from '../../../src/lib/logger.ts';
import type { Gate } from '../../../src/model/gate.ts';
import type { News } from '../../../src/model/news.ts';
import { createTransitions } from '../../../src/runs/transition.ts';
import { sampleLoaded } from '../../runs/samples.ts';
import { sampleRun } from '../../store/samples.ts';
import { newStore } from '../../support/new-store.ts';
import { until } from '../../support/until.ts';

const WINDOW: Gate = {
  kind: 'window',
  allow: [{ kind: 'weekly', days: [1], from: 9 * 60, to: 10 * 60, text: 'Mon 09:00-10:00' }],
  deny: [],
  timeZone: 'UTC',
};

test('a queued run whose window has closed is blocked and not started, and the runs behind it are', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'mainsheet-runner-'));
  const store = await newStore(join(directory, 'mainsheet.db'));
  t.after(async () => {
    await store.close();
    await rm(directory, { recursive: true, force: true });
  });
  let now = Date.parse('2026-11-30T09:30Z');
  const clock = { ...systemClock, now: () => now };
  const gated = sampleLoaded({ gates: [WINDOW] });
  const free = sampleLoaded({ name: 'free' });
  const transitions = createTransitions({
    store,
    specOf: async (_tables, digest) => (digest === 'free' ? free : gated).spec,
    clock,
    news: createBroadcast<News>(),
    publicUrl: undefined,
    feedback: undefined,
  });
  const make = (id: string, spec = gated, specDigest = 'digest') =>
    store.atomically((tables) =>
      transitions.create(
        tables,
        sampleRun(id, { spec: spec.spec.name, specDigest, createdAt: now }),
        spec,
      ),
    );
  assert.equal((await make('shut'))[0]?.state, 'queued');
  await make('open', free, 'free');
  now += 3_600_000;
  const executed: string[] = [];
  const runner = createRunner({
    store,
    transitions,
    execute: async ({ id }) => {
      executed.push(id);
      return { kind: 'succeeded', outputs: {} };
    },
    holder: 'me',
    concurrency: 2,
    graceMs: 0,
    leaseMs: 30_000,
    clock,
    logger: silentLogger,
  });
  const stopping = new AbortController();
  const running = runner.run(stopping.signal);
  await until(
    'the other has ended',
    async () => (await store.runs.get('open'))?.state === 'succeeded',
  );
  stopping.abort();
  await running;
  assert.deepEqual(executed, ['open']);
  const shut = await store.runs.get('shut');
  assert.equal(shut?.state, 'blocked');
  assert.equal(shut.reason, 'Outside its window: opens Mon 2026-12-07 09:00 UTC');
});
