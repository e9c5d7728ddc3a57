import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import SQLite from 'better-sqlite3';
import { createWorld, type World } from '../support/world.ts';

describe('a database that another program holds', () => {
  let world: World;
  before(async () => {
    world = await createWorld({ specs: {} });
  });
  after(() => world.close());

  const ping = () => world.forge.deliver('ping', { zen: 'Keep it logically awesome.', hook_id: 1 });

  test('keeps no request waiting but those that write, and these have their 503 before GitHub gives up', async () => {
    const other = new SQLite(join(world.controller.dataDir, 'mainsheet.db'));
    other.exec('begin immediate');
    const start = performance.now();
    const answered = new AbortController();
    const refused = ping().finally(() => answered.abort());
    let longest = 0;
    let answers = 0;
    while (!answered.signal.aborted) {
      const asked = performance.now();
      assert.equal((await fetch(`${world.controller.url}/healthz`)).status, 200);
      longest = Math.max(longest, performance.now() - asked);
      answers += 1;
    }
    const { status } = await refused;
    assert.equal(status, 503);
    assert.ok(performance.now() - start < 9000, 'GitHub gives up after 10 seconds');
    assert.ok(
      answers > 10 && longest < 3000,
      `${answers} answers, the slowest after ${longest} ms`,
    );

    other.exec('commit');
    other.close();
    assert.equal((await ping()).status, 202);
  });
});
