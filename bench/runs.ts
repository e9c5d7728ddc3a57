import { readFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { createForge, type Forge } from '../demo/forge.ts';
import { createSample } from '../demo/sample.ts';
import { startController, type Controller } from '../test/support/controller.ts';
import { until } from '../test/support/until.ts';
import { cloneByHand, type ByHand } from './by-hand.ts';

/**
 * From a push to the first step with a warm mirror, the memory of an idle controller, and how fast a queue drains; each beside
 * the same git calls by hand, in the same run.
 */

const REPOSITORY = 'acme/storefront';
const PUSHES = Number(process.env['BENCH_PUSHES'] ?? 50);
const LANES = 20;
const AT_ONCE = 4;
/** What only starting took is given back by then. */
const SETTLED_MS = 2000;
const RUNS = Number(process.env['BENCH_RUNS'] ?? 1000);

interface RunView {
  id: string;
  state: string;
  startedAt: string | null;
  finishedAt: string | null;
}

const forge = await createForge({ repositories: [REPOSITORY] });
const sample = await createSample(forge, REPOSITORY, { 'README.md': 'bench\n' });
const controller = await startController({
  forge,
  specs: { 'bench.yaml': specs() },
  env: { LOG_LEVEL: 'info', GITHUB_TOKEN: '', MAINSHEET_CONCURRENCY: String(AT_ONCE) },
});
// The first start after a change compiles the sources, which is kept.
await controller.stop();
await controller.restart();
forge.hook({ url: controller.webhookUrl, secret: controller.secret });
try {
  await setTimeout(SETTLED_MS);
  console.log(`idle: ${residentMegabytes(controller.pid)} MB resident\n`);
  await firstSteps(forge, controller);
  await drain(controller);
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

async function firstSteps({ waitForDelivery }: Forge, { get, logged }: Controller): Promise<void> {
  const times: number[] = [];
  const floor: number[] = [];
  const byHand = await cloneByHand(forge, REPOSITORY);
  for (let count = 0; count <= PUSHES; count += 1) {
    const sha = await sample.commit({ message: `push ${count}` });
    await sample.push('main');
    const delivery = await waitForDelivery(({ body }) => body.includes(`"after":"${sha}"`), 30_000);
    // It is not asked while it works: that would be work, which the git calls by hand are not given.
    const { run } = await logged({ msg: 'run ended', sha });
    const { steps } = await get<{ steps: { startedAt: string }[] }>(`/runs/${String(run)}`);
    const taken = await byHand.fetchAndCheckOut('main', sha);
    // The first push makes the mirror: it does not count.
    if (count === 0) continue;
    times.push(Date.parse(steps[0]?.startedAt ?? '') - delivery.at);
    floor.push(taken);
  }
  await byHand.close();
  const [own, least] = [percentiles(times), percentiles(floor)];
  console.log(`webhook sent → first step started, warm mirror, ${times.length} pushes:`);
  console.log(`p50 ${ms(own.p50)}, p99 ${ms(own.p99)}`);
  console.log(`git fetch and git checkout by hand: p50 ${ms(least.p50)}, p99 ${ms(least.p99)}`);
  const ratios = [own.p50 / least.p50, own.p99 / least.p99].map((ratio) => ratio.toFixed(2));
  console.log(`ratio: p50 ${ratios[0]}, p99 ${ratios[1]}\n`);
}

/** The lanes are paused while their queues fill, so that nothing but the runs is measured. */
async function drain({ post, get }: Controller): Promise<void> {
  const lanes = Array.from({ length: LANES }, (_, lane) => `lane-${lane}`);
  const runsOf = async (sha: string) =>
    (await get<{ items: RunView[] }>(`/runs?sha=${sha}&limit=${LANES}`)).items;
  for (const lane of lanes) await post(`/specs/${lane}/pause`);
  let sha = '';
  for (let count = 0; count < RUNS / LANES; count += 1) {
    sha = await sample.commit({ message: `queue ${count}`, branch: 'queue' });
    await sample.push('queue');
    await until('the runs wait', async () => (await runsOf(sha)).length === LANES, 30_000);
  }
  const start = Date.now();
  await Promise.all(lanes.map(async (lane) => await post(`/specs/${lane}/resume`)));
  const isOver = async () => (await runsOf(sha)).every(({ state }) => state === 'succeeded');
  await until('the last runs succeeded', isOver, 600_000);
  const seconds = (Date.now() - start) / 1000;
  const { items: left } = await get<{ items: RunView[] }>('/runs?state=superseded&limit=1');
  if (left.length > 0) throw new Error('a run did nothing: it is not to be counted');
  const rate = RUNS / seconds;
  console.log(
    `${RUNS} no-op runs of ${RUNS / LANES} pushes in ${LANES} lanes, ${AT_ONCE} at once:`,
  );
  console.log(`${seconds.toFixed(1)} s, ${rate.toFixed(1)} runs/s`);
  const floor = await drainByHand(sha);
  console.log(`five git calls and a \`bash -c true\` by hand: ${floor.toFixed(1)} runs/s`);
  console.log(`ratio: ${(rate / floor).toFixed(2)}\n`);
}

/** As many runs a second as a loop in warm clones does, which does only what cannot be left out. */
async function drainByHand(sha: string): Promise<number> {
  const clones: ByHand[] = [];
  for (let count = 0; count < AT_ONCE; count += 1) {
    clones.push(await cloneByHand(forge, REPOSITORY));
  }
  const each = Math.ceil(RUNS / AT_ONCE);
  const start = Date.now();
  await Promise.all(
    clones.map(async (clone) => {
      for (let count = 0; count < each; count += 1) await clone.run('queue', sha);
    }),
  );
  const seconds = (Date.now() - start) / 1000;
  for (const clone of clones) await clone.close();
  return (each * AT_ONCE) / seconds;
}

function percentiles(times: number[]): { p50: number; p99: number } {
  const sorted = times.toSorted((a, b) => a - b);
  const at = (share: number) =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
  return { p50: at(0.5), p99: at(0.99) };
}

function ms(time: number): string {
  return `${Math.round(time)} ms`;
}

function residentMegabytes(pid: number): number {
  const kilobytes = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Math.round(Number(kilobytes ?? 0) / 1024);
}
