import assert from 'node:assert/strict';
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import SQLite from 'better-sqlite3';
import { noFailpoint } from '../../../src/lib/failpoint.ts';
import { openSqlite } from '../../../src/store/engine.ts';
import { createStore } from '../../../src/store/index.ts';
import { bothEngines } from '../../support/engines.ts';
import { createFixture, pushTogether } from './intake-fixture.ts';

for (const [engine, open] of bothEngines()) {
  test(`pushes of a branch that wait are judged together, which asks the server once; the newest wins (${engine})`, async (t) => {
    const fixture = await createFixture(t, 'newest', noFailpoint, [], open);
    const { server, done, runs } = fixture;
    const fetches = () => server.requests.filter(({ line }) => line.includes('info/refs')).length;
    await pushTogether(fixture);
    await done('d5');
    assert.equal(fetches(), 2, 'of the one before them, and of all others');
    assert.equal(fixture.ancestry.asked, 0, 'the list of commits says what comes after what');
    const states = (await runs()).map(({ delivery, state }) => `${delivery} ${state}`);
    const older = ['d0', 'd1', 'd2', 'd3', 'd4'].map((id) => `${id} superseded`);
    assert.deepEqual(states, [...older, 'd5 queued']);
  });
}

test('after pushes that were judged together more of that repository are waited for, and no other repository is held up', async (t) => {
  const fixture = await createFixture(t);
  const { deliver, commit, done, get, waits } = fixture;
  waits.areLong = true;
  await pushTogether(fixture);
  await done('d5');
  await deliver('d6', 'release/1', await commit({ 'src/a': '6' }, 'release/1'));
  await deliver('e1', 'release/1', 'e'.repeat(40), 'acme/other');
  await done('e1');
  assert.equal((await get('d6')).attempts, 0);
});

test('of pushes that are taken in together one that fails takes no other with it, and those after it wait for it', async (t) => {
  const fixture = await createFixture(t, 'all');
  const { root, get, done, later, runs, tried } = fixture;
  const other = new SQLite(join(root, 'mainsheet.db'));
  t.after(() => other.close());
  other.exec(`create trigger planted before insert on runs when new.delivery = 'd3'
    begin select raise(abort, 'planted'); end`);
  await pushTogether(fixture);
  await tried('d3', 1);
  const states = ['d1', 'd2', 'd3', 'd4', 'd5'].map(async (id) => (await get(id)).state);
  const expected = ['processed', 'processed', 'pending', 'pending', 'pending'];
  assert.deepEqual(await Promise.all(states), expected);
  other.exec('drop trigger planted');
  later();
  await done('d5');
  assert.deepEqual(
    (await runs()).map(({ delivery }) => delivery),
    ['d0', 'd1', 'd2', 'd3', 'd4', 'd5'],
  );
});

test('a process that dies while it takes in pushes together leaves each with its run, or open', async (t) => {
  let passes = 0;
  const kept: string[] = [];
  const fixture = await createFixture(t, 'all', (name) => {
    // The third of those that are taken in together.
    if (name !== 'intake.inside' || ++passes !== 4) return;
    for (const file of ['mainsheet.db', 'mainsheet.db-wal']) {
      kept.push(join(fixture.root, `kept-${file}`));
      copyFileSync(join(fixture.root, file), kept.at(-1) ?? '');
    }
  });
  await pushTogether(fixture);
  await fixture.done('d5');
  const left = await createStore(openSqlite(kept[0] ?? ''));
  t.after(() => left.close());
  const processed: string[] = [];
  for (const id of ['d0', 'd1', 'd2', 'd3', 'd4', 'd5']) {
    const found = await left.inbox.get(id);
    if (found?.delivery.state === 'processed') processed.push(id);
  }
  assert.ok(processed.includes('d0') && !processed.includes('d3'), processed.join());
  const { items } = await left.runs.list({ limit: 99, before: undefined }, {});
  assert.deepEqual(
    items.toReversed().map(({ delivery }) => delivery),
    processed,
  );
});

test('pushes that wait while git refuses to say anything have their runs, which will say why', async (t) => {
  const fixture = await createFixture(t, 'all');
  const { server, done, runs } = fixture;
  server.fault = () => ({ kind: 'status', status: 404 });
  await pushTogether(fixture);
  await done('d5');
  assert.equal((await runs()).length, 6);
});
