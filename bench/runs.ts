import { readFileSync } from 'node:fs';
import { createForge, type Forge } from '../demo/forge.ts';
import { createSample } from '../demo/sample.ts';
import { startController, type Controller } from '../test/support/controller.ts';
import { until } from '../test/support/until.ts';

/** From a push to the first step with a warm mirror, the memory of an idle controller, and how fast a queue drains. */

const REPOSITORY = 'acme/storefront';
const PUSHES = 50;
const LANES = 20;
const RUNS = Number(process.env['BENCH_RUNS'] ?? 1000);

interface RunView {
  id: string;
  sha: string;
  startedAt: string | null;
  finishedAt: string | null;
}

const forge = await createForge({ repositories: [REPOSITORY] });
const sample = await createSample(forge, REPOSITORY, { 'README.md': 'bench\n' });
const controller = await startController({
  forge,
  specs: { 'bench.yaml': specs() },
  env: { LOG_LEVEL: 'info', GITHUB_TOKEN: '' },
});
forge.hook({ url: controller.webhookUrl, secret: controller.secret });
try {
  console.log(`idle: ${residentMegabytes(controller.pid)} MB resident\n`);
  await firstSteps(forge, controller);
  await drain(forge, controller);
  console.log(`afterwards: ${residentMegabytes(controller.pid)} MB resident`);
} finally {
  await controller.remove();
  await sample.close();
  await forge.close();
}

/** A spec for the pushes, and one for each lane of the queue. */
function specs(): string {
  const spec = (name: string, branch: string) =>
    `name: ${name}\nrepository: ${REPOSITORY}\non: { push: { branches: [${branch}] } }\n` +
    `concurrency: { queue: all }\nsteps: [{ run: "true" }]\n`;
  const lanes = Array.from({ length: LANES }, (_, lane) => spec(`lane-${lane}`, 'queue'));
  return [spec('push', 'main'), ...lanes].join('---\n');
}

async function firstSteps({ waitForDelivery }: Forge, { get }: Controller): Promise<void> {
  const times: number[] = [];
  for (let count = 0; count <= PUSHES; count += 1) {
    const sha = await sample.commit({ message: `push ${count}` });
    await sample.push('main');
    const delivery = await waitForDelivery(({ body }) => body.includes(`"after":"${sha}"`), 30_000);
    const run = await until('the run ended', async () => {
      const { items } = await get<{ items: RunView[] }>(`/runs?sha=${sha}`);
      return items[0]?.finishedAt ? items[0] : undefined;
    });
    const { steps } = await get<{ steps: { startedAt: string }[] }>(`/runs/${run.id}`);
    // The first push makes the mirror: it does not count.
    if (count > 0) times.push(Date.parse(steps[0]?.startedAt ?? '') - delivery.at);
  }
  times.sort((a, b) => a - b);
  const at = (share: number) => times[Math.min(times.length - 1, Math.floor(times.length * share))];
  console.log(`webhook sent → first step started, warm mirror, ${times.length} pushes:`);
  console.log(`p50 ${at(0.5)} ms, p99 ${at(0.99)} ms\n`);
}

async function drain({ deliver, waitForDelivery }: Forge, { get }: Controller): Promise<void> {
  const sha = await sample.commit({ message: 'queue', branch: 'queue' });
  await sample.push('queue');
  const first = await waitForDelivery(({ body }) => body.includes('refs/heads/queue'), 30_000);
  const payload = JSON.parse(first.body) as never;
  const start = Date.now();
  for (let count = 1; count < RUNS / LANES; count += 1) await deliver('push', payload);
  await until(
    'the queue is empty',
    async () => {
      const active = await Promise.all(
        ['queued', 'running'].map((state) =>
          get<{ items: RunView[] }>(`/runs?limit=1&state=${state}`),
        ),
      );
      return active.every(({ items }) => items.length === 0);
    },
    600_000,
  );
  const seconds = (Date.now() - start) / 1000;
  console.log(`${RUNS} no-op runs of ${sha.slice(0, 7)} in ${LANES} lanes, 4 at once:`);
  console.log(`${seconds.toFixed(1)} s, ${(RUNS / seconds).toFixed(1)} runs/s\n`);
}

function residentMegabytes(pid: number): number {
  const kilobytes = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Math.round(Number(kilobytes ?? 0) / 1024);
}
