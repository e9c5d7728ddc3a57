import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import SQLite from 'better-sqlite3';
import { until } from '../support/until.ts';
import { createWorld, SITE, type World } from '../support/world.ts';

const SPEC = `
name: nightly
repository: ${SITE}
on: { schedule: { cron: "0 3 1 1 *", timezone: Europe/Berlin } }
steps: [{ run: 'echo "due=$DUE $MAINSHEET_EVENT" >> "$MAINSHEET_OUTPUT"', env: { DUE: "\${{ event.due }}" } }]
`;

let world: World;
before(async () => {
  world = await createWorld({ specs: { 'nightly.yaml': SPEC } });
});
after(() => world.close());

const DUE = '2026-01-01T02:00:00.000Z';

test('a time that passed while Mainsheet was down is made up for at the next start: the default branch as it is then is deployed and reported', async () => {
  const nextTime = () => {
    const database = new SQLite(join(world.controller.dataDir, 'mainsheet.db'));
    try {
      return database
        .prepare("select name, value from cursors where name like 'schedule %'")
        .get() as { name: string; value: string } | undefined;
    } finally {
      database.close();
    }
  };
  const first = await until('the schedule is known', async () => nextTime());
  assert.match(first.value, /^20\d\d-01-01T02:00:00\.000Z$/);
  await world.controller.stop();

  const database = new SQLite(join(world.controller.dataDir, 'mainsheet.db'));
  database.prepare('update cursors set value = ? where name = ?').run(DUE, first.name);
  database.close();
  const sha = await world.sample.commit({ message: 'Now', files: { 'README.md': 'now\n' } });
  await world.sample.push('main');
  await world.controller.restart();

  const run = await world.ended(sha, 'nightly');
  assert.equal(run.state, 'succeeded');
  assert.deepEqual(run.outputs, { due: `${DUE} schedule` });
  assert.equal(run.delivery, `schedule:nightly:${DUE}`);
  const { specs } = await world.explained(run.delivery);
  assert.deepEqual(
    specs[0]?.reasons.map(({ condition }) => condition),
    ['on.schedule', 'on.schedule.ref', 'if'],
  );
  await world.statusOf(sha, 'mainsheet/nightly', 'success');
  assert.equal(nextTime()?.value, first.value, 'and goes on');
});
