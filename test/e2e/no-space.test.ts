import assert from 'node:assert/strict';
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import SQLite from 'better-sqlite3';
import { asAdmin } from '../support/admin.ts';
import { cannotMount, mountSmallDisk, type SmallDisk } from '../support/small-disk.ts';
import { SLOW_SPEC } from '../support/slow-spec.ts';
import { until } from '../support/until.ts';
import { createWorld, SITE, type World } from '../support/world.ts';

interface Ready {
  checks: { store: { ok: boolean; detail?: string } };
}

describe('a file system without room (ENOSPC)', { skip: await cannotMount() }, () => {
  let world: World;
  let disk: SmallDisk;
  let directory: string;
  let notes: string;
  /** Deliveries that were answered with 202. */
  const accepted = new Set<string>();

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'mainsheet-no-space-'));
    notes = await mkdtemp(join(tmpdir(), 'mainsheet-notes-'));
    const mounted = await mountSmallDisk(directory, '32m');
    assert.ok(mounted);
    disk = mounted;
    world = await createWorld({
      specs: { 'slow.yaml': SLOW_SPEC },
      env: { MAINSHEET_SECRET_NOTES: notes, MAINSHEET_LEASE: '3s' },
      disk,
    });
  });
  after(async () => {
    await world.close();
    await disk.remove();
    await rm(notes, { recursive: true });
    await rm(directory, { recursive: true });
  });

  async function ready(): Promise<{ status: number; detail: string }> {
    const response = await asAdmin(`${world.controller.url}/readyz?check=store`);
    const { checks } = (await response.json()) as Ready;
    return { status: response.status, detail: checks.store.detail ?? '' };
  }

  async function ping(): Promise<number> {
    const payload = { zen: 'Practicality beats purity.', hook_id: 1, filler: 'x'.repeat(10_000) };
    const { id, status } = await world.forge.deliver('ping', payload);
    if (status === 202) accepted.add(id);
    else assert.equal(status, 503);
    return status;
  }

  /**
   * Until nothing can be written any more: SQLite has room in its files for a while, and what the process removes makes some.
   */
  async function fill(): Promise<string> {
    return await until('the file system is full', async () => {
      await disk.fill();
      if ((await ping()) === 202) return false;
      const { status, detail } = await ready();
      return status === 503 && detail;
    });
  }

  async function makeRoom(): Promise<void> {
    await disk.makeRoom();
    await until('the process is ready again', async () => (await ready()).status === 200);
  }

  async function push(message: string): Promise<{ sha: string; id: string; status: number }> {
    const sha = await world.sample.commit({ message });
    await world.sample.push('main');
    const heard = ({ body }: { body: string }) => body.includes(`"after":"${sha}"`);
    const { id, status } = await world.forge.waitForDelivery(heard, 30_000);
    if (status === 202) accepted.add(id);
    return { sha, id, status };
  }

  const underWay = (sha: string) =>
    until('the step runs', async () => {
      const [run] = await world.runs(`&sha=${sha}`);
      return run !== undefined && (await world.log(run.id)).includes('started') && run;
    });

  /** All that was acknowledged is there, and nothing that was not. */
  async function assertComplete(): Promise<void> {
    const known = new Set<string>();
    for (let path = '/deliveries?limit=200'; path !== '';) {
      const { items, next } = await world.controller.get<{
        items: { id: string }[];
        next: string | null;
      }>(path);
      for (const { id } of items) known.add(id);
      path = next === null ? '' : `/deliveries?limit=200&cursor=${encodeURIComponent(next)}`;
    }
    assert.deepEqual([...known].sort(), [...accepted].sort());
  }

  async function assertDeployed(sha: string): Promise<void> {
    const run = await world.ended(sha);
    assert.equal(run.state, 'succeeded', run.reason);
    assert.equal(await world.log(run.id).then((log) => log.includes('went on\n')), true);
    await world.statusOf(sha, 'mainsheet/slow', 'success');
    const states = (await world.forge.statuses(SITE, sha)).map(({ state }) => state);
    assert.deepEqual([...new Set(states)], ['success', 'pending'], 'no other end was ever shown');
  }

  /** It ends and says why; or, where SQLite has room left in its own files, it starts and says that it is not ready. */
  async function startWithoutRoom(): Promise<void> {
    try {
      await world.controller.restart();
      const { webhookUrl: url, secret } = world.controller;
      world.forge.hook({ url, secret });
      await fill();
      await world.controller.kill();
    } catch (error) {
      assert.match(String(error), /exited with 3/);
      assert.match(String(world.controller.log.at(-1)?.['hint']), /room|full/);
    }
  }

  test('is answered with 503, is why the process is not ready, and is over when there is room', async () => {
    const waiting = await push('Under way');
    await underWay(waiting.sha);

    assert.match(await fill(), /database cannot be used \(SQLITE_(?:FULL|IOERR)/);
    assert.equal((await fetch(`${world.controller.url}/healthz`)).status, 200);
    const refused = await push('Refused');
    assert.equal(refused.status, 503);
    await assertComplete();

    await makeRoom();
    assert.equal((await world.forge.redeliver(refused.id)).status, 202);
    accepted.add(refused.id);
    await writeFile(join(notes, 'go-on'), '');
    await assertDeployed(waiting.sha);
    await assertDeployed(refused.sha);
    for (const id of accepted) await world.explained(id);
    await assertComplete();
  });

  test('makes no run end with what is not true, although it ends meanwhile', async () => {
    await rm(join(notes, 'go-on'), { force: true });
    const { sha } = await push('Ends while there is no room');
    const { id } = await underWay(sha);
    await fill();
    await writeFile(join(notes, 'go-on'), '');
    await until('the process has noticed', async () => {
      await disk.fill();
      return world.controller.log.some(
        ({ msg, run }) => msg === 'lease could not be renewed' && run === id,
      );
    });
    await makeRoom();
    await assertDeployed(sha);
  });

  test('survives a kill: nothing that was acknowledged is lost, and the file is sound', async () => {
    await rm(join(notes, 'go-on'), { force: true });
    const { sha } = await push('Killed while there is no room');
    await underWay(sha);
    await fill();
    await world.controller.kill();
    await disk.fill();
    await startWithoutRoom();

    await disk.makeRoom();
    await writeFile(join(notes, 'go-on'), '');
    await world.controller.restart();
    await assertComplete();
    await assertDeployed(sha);
    assert.equal(await world.controller.stop(), 0);
    // SQLite follows the link to the outside, so that it needs a copy.
    const copy = join(notes, 'copy.db');
    await copyFile(join(disk.outside, 'mainsheet.db'), copy);
    const database = new SQLite(copy, { readonly: true });
    assert.deepEqual(database.pragma('integrity_check'), [{ integrity_check: 'ok' }]);
    database.close();
  });
});
