import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { startController } from '../support/controller.ts';
import { until } from '../support/until.ts';
import { createWorld, SITE } from '../support/world.ts';

const SPEC = `
name: storefront
repository: ${SITE}
on: { push: { branches: [main] } }
secrets: [GATE]
steps: [{ run: 'until [ -e "$GATE" ]; do sleep 0.05; done' }]
`;

test('a second controller on the same data directory says so and touches nothing of the first (G3)', async (t) => {
  const gates = await mkdtemp(join(tmpdir(), 'mainsheet-gates-'));
  const gate = join(gates, 'open');
  const world = await createWorld({
    specs: { 'storefront.yaml': SPEC },
    env: { MAINSHEET_SECRET_GATE: gate },
  });
  t.after(async () => {
    await world.close();
    await rm(gates, { recursive: true, force: true });
  });
  const { forge, sample, controller } = world;
  const sha = await sample.commit({ message: 'one' });
  await sample.push('main');
  await until('it runs', async () => (await world.runs('&state=running')).length === 1);

  const second = startController({
    forge,
    specs: { 'storefront.yaml': SPEC },
    env: { MAINSHEET_DATA_DIR: controller.dataDir, MAINSHEET_SECRET_GATE: gate },
  });
  await assert.rejects(second, /exited with 3.*another Mainsheet works in/);

  await writeFile(gate, '');
  const run = await world.ended(sha);
  assert.equal(run.state, 'succeeded');
  assert.equal((await world.runs()).length, 1);

  // A process after one that was killed finds nothing in the way.
  await controller.kill();
  await controller.restart();
});
