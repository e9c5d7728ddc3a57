import assert from 'node:assert/strict';
import { test } from 'node:test';
import { wakeLoops } from '../../src/app/wake-loops.ts';
import { createBroadcast } from '../../src/lib/broadcast.ts';
import type { News } from '../../src/model/news.ts';
import type { WorkTable } from '../../src/store/index.ts';

const NAMES = ['intake', 'runner', 'feedback', 'planner', 'teardowns', 'chains', 'specs'] as const;

test('what comes into a table, changes elsewhere or is told of wakes the loops that have to do with it', () => {
  const filled = createBroadcast<WorkTable>();
  const news = createBroadcast<News>();
  const catalog = createBroadcast<undefined>();
  let woken: string[] = [];
  const wakes = (name: string) => ({ wake: () => void woken.push(name) });
  const [intake, runner, feedback, planner, teardowns, chains, source] = NAMES.map(wakes);
  assert.ok(intake && runner && feedback && planner && teardowns && chains && source);
  wakeLoops({
    store: { filled },
    news,
    catalog: { onChange: (listener) => catalog.subscribe(listener) },
    intake,
    runner: { ...runner, look: (run) => void woken.push(`look at ${run}`) },
    feedback,
    planner,
    teardowns,
    chains,
    specs: { repository: 'acme/specs', source },
  });
  const wokenBy = (happen: () => void) => {
    woken = [];
    happen();
    return woken.toSorted();
  };
  const fill = (table: WorkTable) => wokenBy(() => filled.publish(table));
  const tell = (item: News) => wokenBy(() => news.publish(item));
  const run = { kind: 'run', run: 'r1', spec: 'shop' } as const;
  const delivery = { kind: 'delivery', delivery: 'd1' } as const;

  assert.deepEqual(fill('inbox'), ['intake']);
  assert.deepEqual(fill('outbox'), ['feedback']);
  assert.deepEqual(fill('plans'), ['planner']);
  assert.deepEqual(fill('previews'), ['teardowns']);
  assert.deepEqual(
    wokenBy(() => catalog.publish(undefined)),
    ['intake'],
  );
  assert.deepEqual(tell({ ...run, state: 'queued' }), ['feedback', 'runner']);
  assert.deepEqual(tell({ ...run, state: 'running' }), ['feedback', 'look at r1', 'runner']);
  assert.deepEqual(tell({ ...run, state: 'failed' }), ['chains', 'feedback', 'runner']);
  assert.deepEqual(tell({ ...delivery, repository: 'Acme/Specs' }), ['specs']);
  assert.deepEqual(tell({ ...delivery, repository: 'acme/shop' }), []);
});
