import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createForge, type Forge } from '../../demo/forge.ts';
import { createSample, type Sample } from '../../demo/sample.ts';
import { openSqlite } from '../../src/store/engine.ts';
import { openPostgres } from '../../src/store/postgres.ts';
import type { Db } from '../../src/store/query.ts';
import { createMutex } from '../../src/lib/mutex.ts';
import { startBalancer } from '../support/balancer.ts';
import { startController, type Controller } from '../support/controller.ts';
import { appCredentials } from '../support/world.ts';
import { deafUrl } from '../support/deaf.ts';
import { startPostgres } from '../support/postgres.ts';
import type { Random } from '../support/random.ts';
import type { Burst } from './assault.ts';
import { chaosSpecsYaml, HUB, PAGES, SHOP } from './specs.ts';

/** The databases that the chaos can be run on. */
export const ENGINES = ['sqlite', 'postgres'] as const;

/** Runs that a controller works on at once. */
export const CONCURRENCY = 2;

export interface ChaosPlace {
  engine: (typeof ENGINES)[number];
  /** How many controllers share the work; more than one on PostgreSQL only. */
  replicas: number;
}

/** Real controllers, real git, a stand-in for GitHub, and developers who push. */
export interface ChaosWorld {
  forge: Forge;
  controllers: readonly Controller[];
  /** Who is being killed; the others go on. */
  victim(): Controller;
  /** Makes the next one the victim: it stops, and the one before is started again. Nothing when there is only one. */
  passOn(): Promise<void>;
  /** One that is not killed, or the only one there is. */
  witness(): Controller;
  isPostgres: boolean;
  /** Everybody's database, opened besides them. */
  open(): Db;
  /** The file that steps write into. */
  book: string;
  /** The `mark` in each commit that was pushed to a `main`. */
  marks: ReadonlyMap<string, string>;
  /** The last commit that was pushed to the repository's `main`; undefined when none was. */
  newest(repository: string): string | undefined;
  /** One commit, pushed. Resolves when git has taken it; its delivery is sent after that. */
  push(random: Random): Promise<void>;
  /** Commits, each pushed by itself. Their deliveries do not arrive: `redeliver` sends them all at once. */
  burst(burst: Burst): Promise<void>;
  /** Ids of all deliveries so far, and those of them that got their 202. */
  deliveries(): { all: string[]; acknowledged: Set<string> };
  close(): Promise<void>;
}

/** Nothing was pushed yet. All controllers are up but the victim, which has stopped. */
export async function createChaosWorld(place: ChaosPlace): Promise<ChaosWorld> {
  const root = await mkdtemp(join(tmpdir(), 'mainsheet-chaos-'));
  const book = join(root, 'book');
  const forge = await createForge({ repositories: [SHOP, PAGES, HUB], app: true });
  const samples: Sample[] = [];
  for (const repository of [SHOP, PAGES]) {
    samples.push(await createSample(forge, repository, { mark: 'first', pace: '0' }));
  }
  const server = place.engine === 'postgres' ? await startPostgres() : undefined;
  const databaseUrl = await server?.database();
  const env = {
    // Only an App makes check runs.
    ...appCredentials(forge),
    MAINSHEET_SHUTDOWN_GRACE: '2s',
    // What is pushed to a dead controller is seen by looking before its delivery comes.
    MAINSHEET_RECONCILE_INTERVAL: '1s',
    MAINSHEET_CONCURRENCY: String(CONCURRENCY),
    ...(databaseUrl === undefined ? {} : { DATABASE_URL: databaseUrl, MAINSHEET_LEASE: '2s' }),
  };
  const specs = { 'all.yaml': chaosSpecsYaml(book) };
  const controllers: Controller[] = [];
  while (controllers.length < place.replicas) {
    controllers.push(await startController({ forge, specs, env }));
  }
  let turn = 0;
  const victim = () => controllers[turn % controllers.length] as Controller;
  const witness = () => controllers[(turn + 1) % controllers.length] as Controller;
  await victim().stop();

  const balancer = await startBalancer(() => controllers.map(({ url }) => url));
  const { secret } = victim();
  const deaf = await deafUrl();
  const listen = (url: string) => forge.hook({ url, secret });
  listen(`${balancer.url}/webhooks/v1/github`);
  const marks = new Map<string, string>();
  const newest = new Map<string, string>();
  const developers = createMutex();

  /** Pushes a commit that takes so long to deploy. Its delivery does not arrive when it is `late`. */
  async function push(
    sample: Sample,
    { pace, isLate, topic }: { pace: number; isLate: boolean; topic: boolean },
  ): Promise<void> {
    const mark = `m${marks.size}`;
    const sha = await sample.commit({ files: { mark, pace: String(pace) }, message: mark });
    marks.set(sha, mark);
    newest.set(sample.repository, sha);
    if (isLate) listen(deaf);
    await sample.push(topic ? ['main', `main:topic-${mark}`] : 'main');
    if (!isLate) return;
    // It is sent again after the next death, when a look may have found the push.
    await forge.waitForDelivery(({ body }) => body.includes(`"after":"${sha}"`), 60_000);
    listen(`${balancer.url}/webhooks/v1/github`);
  }

  return {
    forge,
    controllers,
    book,
    marks,
    isPostgres: server !== undefined,
    victim,
    witness,
    async passOn() {
      if (controllers.length === 1) return;
      await victim().restart();
      turn += 1;
      await victim().stop();
    },
    open() {
      if (databaseUrl !== undefined) return openPostgres(databaseUrl);
      return openSqlite(join(victim().dataDir, 'mainsheet.db'));
    },
    newest: (repository) => newest.get(repository),
    async push(random) {
      const sample = random.pick(samples);
      const pace = random.int(0, 5);
      const isLate = random.chance(0.4);
      // Now and then several branches at once, of which no spec names the other.
      const topic = random.chance(0.2);
      await developers.run('push', () => push(sample, { pace, isLate, topic }));
    },
    async burst({ repository, pushes }) {
      const sample = samples.find((one) => one.repository === repository);
      if (sample === undefined) throw new Error(`there is no ${repository}`);
      await developers.run('push', async () => {
        for (let pushed = 0; pushed < pushes; pushed += 1) {
          await push(sample, { pace: 0, isLate: true, topic: false });
        }
      });
    },
    deliveries() {
      const acknowledged = forge.deliveries.filter(({ status }) => status === 202);
      return {
        all: [...new Set(forge.deliveries.map(({ id }) => id))],
        acknowledged: new Set(acknowledged.map(({ id }) => id)),
      };
    },
    async close() {
      await Promise.all(controllers.map((controller) => controller.remove()));
      await balancer.close();
      await server?.remove();
      await Promise.all(samples.map((sample) => sample.close()));
      await forge.close();
      await rm(root, { recursive: true, force: true });
    },
  };
}
