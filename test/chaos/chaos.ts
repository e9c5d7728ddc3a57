import { setTimeout as delay } from 'node:timers/promises';
import { createRandom } from '../support/random.ts';
import { until } from '../support/until.ts';
import { audit } from './audit.ts';
import { murder, redeliver, type Murder } from './assault.ts';
import { leftovers } from './leftovers.ts';
import { createChaosWorld, type ChaosWorld } from './world.ts';

/** What came of it. */
export interface ChaosReport {
  seed: number;
  /** How often the controller died, by failpoint, `instant` or `tree`. */
  deaths: Record<string, number>;
  deliveries: number;
  runs: Record<string, number>;
  /** Requests that changed something on the forge. */
  callbacks: number;
  seconds: number;
  /** What is wrong, each a sentence. Empty when every promise was kept. */
  problems: string[];
}

/** How long a controller that nobody kills may take until nothing is left to do. */
const QUIET_MS = 180_000;

/**
 * Developers push without end while the controller is killed, once for each of `murders`, and started again. Then it is
 * left in peace until nothing is to be done, and the books are checked. The same seed makes the same pushes; how they
 * meet the murders is the machine's affair.
 */
export async function runChaos(options: {
  seed: number;
  murders: readonly Murder[];
  /** Called after each death. */
  onDeath?: (count: number) => void;
}): Promise<ChaosReport> {
  const startedAt = Date.now();
  const deaths: Record<string, number> = {};
  const world = await createChaosWorld();
  try {
    const over = new AbortController();
    const pushing = keepPushing(world, options.seed, over.signal);
    await world.controller.stop();
    for (const [index, plan] of options.murders.entries()) {
      const death = await murder(world, plan);
      deaths[death] = (deaths[death] ?? 0) + 1;
      options.onDeath?.(index + 1);
    }
    over.abort();
    await pushing;
    const { problems, runs } = await settle(world);
    const states = Object.entries(Object.groupBy(runs, ({ state }) => state));
    return {
      seed: options.seed,
      deaths,
      deliveries: world.deliveries().all.length,
      runs: Object.fromEntries(states.map(([state, of]) => [state, of?.length ?? 0])),
      callbacks: world.forge.journal.filter(({ method }) => method === 'POST').length,
      seconds: Math.round((Date.now() - startedAt) / 1000),
      problems,
    };
  } finally {
    await world.close();
  }
}

/** More pushes than this are never on their way: on a slow machine the controller would never catch up. */
const MOST_WAITING = 6;

/** Nor are more runs left open than this, or it would take long after the last kill until they have ended. */
const MOST_OPEN = 15;

/** A push, a short rest, and so on. */
async function keepPushing(world: ChaosWorld, seed: number, over: AbortSignal): Promise<void> {
  const random = createRandom(seed);
  let open = 0;
  while (!over.aborted) {
    const { all, acknowledged } = world.deliveries();
    // Of a controller that is dead nothing new is known.
    open = await openRuns(world).catch(() => open);
    if (all.length - acknowledged.size < MOST_WAITING && open < MOST_OPEN) await world.push(random);
    await delay(random.int(200, 1000), undefined, { signal: over }).catch(() => undefined);
  }
}

async function settle(world: ChaosWorld) {
  const { controller } = world;
  await controller.restart();
  world.hook();
  // The last push may still be on its way to the controller that was.
  await until('every push was delivered', async () => {
    await redeliver(world);
    const { all, acknowledged } = world.deliveries();
    return world.marks.size <= all.length && acknowledged.size === all.length;
  });
  const unrest = await until('nothing is left to do', () => isQuiet(world), QUIET_MS).then(
    () => [],
    async (error: Error) => [`${error.message}: ${(await openWork(world)).join(', ')}`],
  );
  const books = await audit(world);
  await controller.stop();
  const left = await leftovers(controller.dataDir);
  return { runs: books.runs, problems: [...unrest, ...books.problems, ...left] };
}

/** Asked now and then and not all the time, since it is the controller that is to work. */
async function isQuiet(world: ChaosWorld): Promise<boolean> {
  await delay(100);
  return (await openWork(world)).length === 0;
}

async function openRuns({ controller }: ChaosWorld): Promise<number> {
  const metrics = await (await fetch(`${controller.url}/metrics`)).text();
  const counts = metrics.matchAll(/^mainsheet_runs\{state="(?:queued|running)"\} (\d+)$/gm);
  return [...counts].reduce((sum, [, count]) => sum + Number(count), 0);
}

/** What the controller's metrics count as not done yet. */
async function openWork({ controller }: ChaosWorld): Promise<string[]> {
  const metrics = await (await fetch(`${controller.url}/metrics`)).text();
  const open =
    /^mainsheet_(?:deliveries_pending|runs\{state="(?:queued|blocked|running)"\}|outbox\{state="pending"\}) (?!0$).*$/gm;
  return [...metrics.matchAll(open)].map(([line]) => line);
}
