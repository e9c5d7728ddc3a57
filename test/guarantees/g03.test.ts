import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { createForge, type Forge } from '../../demo/forge.ts';
import { createSample, type Sample } from '../../demo/sample.ts';
import { startBalancer } from '../support/balancer.ts';
import { startController, type Controller } from '../support/controller.ts';
import { usePostgres } from '../support/postgres.ts';
import { until } from '../support/until.ts';
import { SITE, type RunView } from '../support/world.ts';

const PUSHES = 4;

/**
 * Two specs share the lane. A run that finds the directory there already has met another one: the file system is the judge. A
 * deployment takes some time, or two that are taken at once would hardly ever meet.
 */
const spec = (name: string) => `
name: ${name}
repository: ${SITE}
on: push
concurrency: { lane: shared, queue: all }
secrets: [DIRECTORY]
steps:
  - run: |
      mkdir "$DIRECTORY/lane" || { echo "overlap $MAINSHEET_RUN_ID" >> "$DIRECTORY/overlaps"; exit 1; }
      echo "$MAINSHEET_RUN_ID" >> "$DIRECTORY/turns"
      sleep 0.2
      rmdir "$DIRECTORY/lane"
`;

test('G3 never two running runs in one lane', async (t) => {
  const { directory, forge, sample } = await scene(t);
  const controller = await start(forge, { MAINSHEET_SECRET_DIRECTORY: directory });
  t.after(() => controller.remove());
  forge.hook({ url: controller.webhookUrl, secret: controller.secret });
  await pushAll(sample);
  await proveTurns([controller], directory);
});

test('G3 never two running runs in one lane, across replicas too', async (t) => {
  const { directory, forge, sample } = await scene(t);
  const server = await usePostgres();
  const env = { MAINSHEET_SECRET_DIRECTORY: directory, DATABASE_URL: await server.database() };
  const replicas = await Promise.all([1, 2, 3].map(() => start(forge, env)));
  const balancer = await startBalancer(() => replicas.map(({ url }) => url));
  t.after(async () => {
    await balancer.close();
    await Promise.all(replicas.map((replica) => replica.remove()));
    await server.remove();
  });
  forge.hook({ url: `${balancer.url}/webhooks/v1/github`, secret: 'e2e-webhook-secret' });
  await pushAll(sample);
  await proveTurns(replicas, directory);
});

async function scene(t: TestContext): Promise<{ directory: string; forge: Forge; sample: Sample }> {
  const directory = await mkdtemp(join(tmpdir(), 'mainsheet-g03-'));
  const forge = await createForge({ repositories: [SITE] });
  const sample = await createSample(forge, SITE, { 'README.md': 'shop\n' });
  t.after(async () => {
    await sample.close();
    await forge.close();
    await rm(directory, { recursive: true, force: true });
  });
  return { directory, forge, sample };
}

const start = (forge: Forge, env: Record<string, string>): Promise<Controller> =>
  startController({
    forge,
    specs: { 'shared.yaml': [spec('one'), spec('two')].join('---\n') },
    env,
  });

async function pushAll(sample: Sample): Promise<void> {
  for (let n = 0; n < PUSHES; n += 1) {
    await sample.commit({ message: `push ${n}` });
    await sample.push('main');
  }
}

async function proveTurns(replicas: readonly Controller[], directory: string): Promise<void> {
  const expected = PUSHES * 2;
  const [first] = replicas;
  const runs = await until(
    'every run has ended',
    async () => {
      const items = (await first?.get<{ items: RunView[] }>('/runs?limit=200'))?.items ?? [];
      const ended = items.filter(({ state }) => state === 'succeeded' || state === 'failed');
      return ended.length === expected && ended;
    },
    180_000,
  );
  const overlaps = await readFile(join(directory, 'overlaps'), 'utf8').catch(() => '');
  assert.equal(overlaps, '');
  assert.deepEqual(
    runs.filter(({ state }) => state !== 'succeeded').map(({ reason }) => reason),
    [],
  );
  const turns = (await readFile(join(directory, 'turns'), 'utf8')).trim().split('\n');
  assert.deepEqual([...new Set(turns)].sort(), runs.map(({ id }) => id).sort());
  assert.equal(turns.length, expected, 'each run had one turn');
}
