import { setTimeout as delay } from 'node:timers/promises';
import { createRandom, type Random } from '../support/random.ts';
import { until } from '../support/until.ts';
import { createApprovals, type Approvals } from './approvals.ts';
import { createAudit, type Audit } from './audit.ts';
import { murder, redeliver, type Murder } from './assault.ts';
import { overlaps, readBook, restarts } from './book.ts';
import { leftovers } from './leftovers.ts';
import { CONCURRENCY, createChaosWorld, type ChaosPlace, type ChaosWorld } from './world.ts';

/** What came of it. */
export interface ChaosReport {
  seed: number;
  engine: string;
  replicas: number;
  /** How often a controller died, by failpoint, `instant` or `tree`. */
  deaths: Record<string, number>;
  deliveries: number;
  runs: Record<string, number>;
  /** Requests that changed something on the forge. */
  callbacks: number;
  seconds: number;
  /** What is wrong, each a sentence. Empty when every promise was kept. */
  problems: string[];
}

/** How long controllers that are not killed may take until nothing is left to do. */
const QUIET_MS = 180_000;
/** With several replicas, each is killed so often before it is the next one's turn. */
const PASS_ON_AFTER = 3;

/**
 * Developers push without end while a controller is killed, once for each of `murders`, and started again. After every
 * `roundOf` murders, and at the end, it is left in peace until nothing is to be done, and the books are checked. The same
 * seed makes the same pushes; how they meet the murders is the machine's affair.
 */
export async function runChaos(
  options: ChaosPlace & {
    seed: number;
    murders: readonly Murder[];
    roundOf: number;
    /** Called after each death. */
    onDeath?: (count: number) => void;
  },
): Promise<ChaosReport> {
  const startedAt = Date.now();
  const random = createRandom(options.seed);
  const deaths: Record<string, number> = {};
  const problems: string[] = [];
  const world = await createChaosWorld(options);
  const books = createAudit(world);
  const approvals = createApprovals(world);
  const ending = new AbortController();
  const approving = approvals.keep(ending.signal);
  try {
    for (let done = 0; done < options.murders.length && problems.length === 0;) {
      const over = new AbortController();
      const pushing = keepPushing(world, random, over.signal);
      try {
        for (const plan of options.murders.slice(done, done + options.roundOf)) {
          const death = await murder(world, plan);
          deaths[death] = (deaths[death] ?? 0) + 1;
          done += 1;
          options.onDeath?.(done);
          problems.push(...(await alarms(world, done)));
          if (problems.length > 0) break;
          if (done % PASS_ON_AFTER === 0) await world.passOn();
        }
      } finally {
        // No push goes into a world that is closed: its error would be told in the place of the first.
        over.abort();
        await Promise.allSettled([pushing]);
      }
      await pushing;
      if (problems.length > 0) break;
      problems.push(
        ...(await settle(world, { books, approvals }, done, done >= options.murders.length)),
      );
    }
    const states = Object.entries(Object.groupBy(books.runs(), ({ state }) => state));
    return {
      seed: options.seed,
      engine: options.engine,
      replicas: options.replicas,
      deaths,
      deliveries: world.deliveries().all.length,
      runs: Object.fromEntries(states.map(([state, of]) => [state, of?.length ?? 0])),
      callbacks: world.forge.journal.filter(({ method }) => method === 'POST').length,
      seconds: Math.round((Date.now() - startedAt) / 1000),
      problems,
    };
  } finally {
    ending.abort();
    await approving;
    await world.close();
  }
}

/** What is wrong whatever is still to come, so that it is told before the end: such lanes may never come to rest. */
async function alarms(world: ChaosWorld, deaths: number): Promise<string[]> {
  const lines = await readBook(world.book);
  const again = restarts(lines);
  // A controller that dies drops as many as it may run at once. Others keep theirs.
  const most = CONCURRENCY * (deaths + Math.floor(deaths / PASS_ON_AFTER) + 1);
  const taken = `${again} steps were begun again after ${deaths} deaths: they were taken from the living`;
  return [...overlaps(lines), ...(again > most ? [taken] : [])];
}

/** More pushes than this are never on their way: on a slow machine the controller would never catch up. */
const MOST_WAITING = 6;
/** Nor are more deliveries and runs left open than this, or it would take long after the last kill until they have ended. */
const MOST_OPEN = 15;

/** A push, a short rest, and so on. */
async function keepPushing(world: ChaosWorld, random: Random, over: AbortSignal): Promise<void> {
  let open = 0;
  while (!over.aborted) {
    const { all, acknowledged } = world.deliveries();
    // Of a controller that is dead nothing new is known.
    open = await openRuns(world).catch(() => open);
    if (all.length - acknowledged.size < MOST_WAITING && open < MOST_OPEN) await world.push(random);
    await delay(random.int(200, 1000), undefined, { signal: over }).catch(() => undefined);
  }
}

/** Waits until nothing is to be done, stops everybody, and looks. All but the victim are up again afterwards. */
async function settle(
  world: ChaosWorld,
  { books, approvals }: { books: Audit; approvals: Approvals },
  deaths: number,
  isLast: boolean,
): Promise<string[]> {
  const { controllers, victim } = world;
  await victim().restart();
  // The last push may still be on its way to a controller that was.
  await until('every push was delivered', async () => {
    await redeliver(world);
    const { all, acknowledged } = world.deliveries();
    return world.marks.size <= all.length && acknowledged.size === all.length;
  });
  const over = async () => (await alarms(world, deaths)).length > 0 || (await isQuiet(world));
  const unrest = await until('nothing is left to do', over, QUIET_MS).then(
    () => alarms(world, deaths),
    async (error: Error) => [
      `${error.message}: ${(await openWork(world)).join(', ')}`,
      ...(await whyOpen(world)),
    ],
  );
  if (unrest.length > 0) return unrest;
  const problems = await books.check(isLast);
  await Promise.all(controllers.map((controller) => controller.stop()));
  const left = [...(await leftovers(world)), ...(await approvals.problems())];
  const others = controllers.filter((controller) => controller !== victim());
  if (!isLast) await Promise.all(others.map((controller) => controller.restart()));
  return [...problems, ...left];
}

/** Asked now and then and not all the time, since it is the controller that is to work. */
async function isQuiet(world: ChaosWorld): Promise<boolean> {
  await delay(200);
  return (await openWork(world)).length === 0;
}

/** What the controllers' metrics count as not done yet. */
async function openWork(world: ChaosWorld): Promise<string[]> {
  const metrics = await metricsOf(world);
  const open =
    /^mainsheet_(?:deliveries_pending|runs\{state="(?:queued|blocked|running)"\}|outbox\{state="pending"\}) (?!0$).*$/gm;
  return [...metrics.matchAll(open)].map(([line]) => line);
}

/** What the controllers say of what they still have to do. */
async function whyOpen(world: ChaosWorld): Promise<string[]> {
  const lists = ['/outbox?state=pending', '/deliveries?state=pending', '/runs?state=blocked'];
  const pages = await Promise.all(
    lists.map((list) => world.witness().get<{ items: object[] }>(`${list}&limit=5`)),
  );
  return pages.flatMap(({ items }) => items.map((item) => JSON.stringify(item)));
}

async function openRuns(world: ChaosWorld): Promise<number> {
  const metrics = await metricsOf(world);
  const open = /^mainsheet_(?:runs\{state="(?:queued|running)"\}|deliveries_pending) (\d+)$/gm;
  const counts = metrics.matchAll(open);
  return [...counts].reduce((sum, [, count]) => sum + Number(count), 0);
}

async function metricsOf(world: ChaosWorld): Promise<string> {
  const response = await fetch(`${world.witness().url}/metrics`);
  return await response.text();
}
