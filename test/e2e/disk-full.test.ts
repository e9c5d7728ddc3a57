import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { asAdmin } from '../support/admin.ts';
import { cannotFillDisk, fillDisk, makeRoom } from '../support/disk.ts';
import { SLOW_SPEC } from '../support/slow-spec.ts';
import { until } from '../support/until.ts';
import { createWorld, SITE, type World } from '../support/world.ts';

interface Ready {
  status: string;
  checks: { store: { ok: boolean; detail?: string } };
}

describe('a full disk', { skip: await cannotFillDisk() }, () => {
  let world: World;
  let notes: string;
  before(async () => {
    notes = await mkdtemp(join(tmpdir(), 'mainsheet-notes-'));
    world = await createWorld({
      specs: { 'slow.yaml': SLOW_SPEC },
      env: { MAINSHEET_SECRET_NOTES: notes, MAINSHEET_LEASE: '3s' },
    });
  });
  after(async () => {
    await world.close();
    await rm(notes, { recursive: true, force: true });
  });

  async function ready(): Promise<{ status: number; body: Ready }> {
    const response = await asAdmin(`${world.controller.url}/readyz`);
    return { status: response.status, body: (await response.json()) as Ready };
  }

  function post(body: string): Promise<Response> {
    const digest = createHmac('sha256', world.controller.secret).update(body).digest('hex');
    return fetch(world.controller.webhookUrl, {
      method: 'POST',
      body,
      headers: {
        'Content-Type': 'application/json',
        'X-GitHub-Event': 'ping',
        'X-GitHub-Delivery': 'refused',
        'X-Hub-Signature-256': `sha256=${digest}`,
      },
    });
  }

  const pings = (count: number) =>
    Promise.all(
      Array.from({ length: count }, (_, index) =>
        world.forge.deliver('ping', { zen: `${index}`, hook_id: 1, filler: 'x'.repeat(10_000) }),
      ),
    );

  test('is answered with 503, is why the process is not ready, and is over when there is room', async () => {
    const before = await pings(20);
    assert.deepEqual(new Set(before.map(({ status }) => status)), new Set([202]));
    assert.equal((await ready()).status, 200);

    await fillDisk(world.controller.pid);
    const refused = await pings(20);
    assert.deepEqual(new Set(refused.map(({ status }) => status)), new Set([503]));
    assert.match((await post('{}')).headers.get('retry-after') ?? '', /^\d+$/);
    const sick = await until('the process is not ready', async () => {
      const { status, body } = await ready();
      return status === 503 && body;
    });
    assert.match(sick.checks.store.detail ?? '', /database cannot be used \(SQLITE_/);
    assert.equal((await fetch(`${world.controller.url}/healthz`)).status, 200);
    assert.equal(
      (await world.controller.get<{ items: unknown[] }>('/deliveries?limit=200')).items.length,
      before.length,
      'nothing that was refused is there',
    );

    await makeRoom(world.controller.pid);
    await until('the process is ready again', async () => (await ready()).status === 200);
    const again = await pings(20);
    assert.deepEqual(new Set(again.map(({ status }) => status)), new Set([202]));
    for (const { id } of [...before, ...again]) await world.explained(id);
  });

  test('ends no run with a state that is not true: it goes on when there is room', async () => {
    const sha = await world.sample.commit({ message: 'On a full disk' });
    await world.sample.push('main');
    const run = await until('the step runs', async () => {
      const [found] = await world.runs(`&sha=${sha}`);
      return found !== undefined && (await world.log(found.id)).includes('started') && found;
    });
    await world.statusOf(sha, 'mainsheet/slow', 'pending');

    await fillDisk(world.controller.pid);
    await writeFile(join(notes, 'go-on'), '');
    await world.controller.logged({ msg: 'lease could not be renewed', run: run.id });
    // Longer than anything is tried again within the lease.
    await world.controller.logged({ msg: 'run could not be concluded', run: run.id }, 0, 180_000);
    const [stuck] = await world.runs(`&sha=${sha}`);
    assert.equal(stuck?.state, 'running');
    const status = (await world.forge.statuses(SITE, sha))[0];
    assert.equal(status?.['state'], 'pending');

    await makeRoom(world.controller.pid);
    const done = await world.ended(sha);
    assert.equal(done.state, 'succeeded');
    assert.match(await world.log(run.id), /went on\n/);
    await world.statusOf(sha, 'mainsheet/slow', 'success');
  });
});
