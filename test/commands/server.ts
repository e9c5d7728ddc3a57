import assert from 'node:assert/strict';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createWhy } from '../../src/controller/operator/why.ts';
import { createBacktest } from '../../src/controller/operator/backtest.ts';
import { createDeploy } from '../../src/controller/operator/deploy.ts';
import { createIntake } from '../../src/controller/intake/intake.ts';
import { createGates } from '../../src/controller/operator/gates.ts';
import { createOperate } from '../../src/controller/operator/operate.ts';
import { createPausing } from '../../src/controller/operator/pausing.ts';
import { createHttpServer } from '../../src/http/server.ts';
import { createBroadcast } from '../../src/lib/broadcast.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { silentLogger } from '../../src/lib/logger.ts';
import type { News } from '../../src/model/news.ts';
import { createSpecReader } from '../../src/runs/snapshot.ts';
import { createTransitions, type Transitions } from '../../src/runs/transition.ts';
import { settingsOf } from '../support/settings.ts';
import { hooksOf } from '../support/hooks.ts';
import { createCatalog } from '../../src/spec/catalog.ts';
import { openSqlite } from '../../src/store/engine.ts';
import { createStore, type Store } from '../../src/store/index.ts';
import { ADMIN_TOKEN } from '../support/admin.ts';

export const WEBHOOK_SECRET = 'webhook-secret-of-the-tests';

export const SPEC = `
name: storefront
repository: acme/storefront
on:
  push: { branches: [main] }
steps:
  - run: echo hello
`;

/** The server that commands talk to, with a real store and intake, and nothing that executes the runs. */
export interface TestServer {
  url: string;
  store: Store;
  transitions: Transitions;
  news: { publish(item: News): void };
  /** Ends every open connection, as a server that restarts does. */
  dropConnections(): void;
  close(): Promise<void>;
}

/** `deployments`: the directory of its specs, instead of one with `SPEC` in it. */
export async function startServer(
  options: { token?: string; deployments?: string } = {},
): Promise<TestServer> {
  const directory = await mkdtemp(join(tmpdir(), 'mainsheet-commands-'));
  await writeFile(join(directory, 'storefront.yaml'), SPEC);
  const logger = silentLogger;
  const clock = systemClock;
  const news = createBroadcast<News>();
  const store = await createStore(openSqlite(join(directory, 'data', 'mainsheet.db')));
  const catalog = createCatalog({ directory: options.deployments ?? directory, logger, clock });
  await catalog.reload();
  const specOf = createSpecReader();
  const transitions = createTransitions({
    store,
    specOf,
    clock,
    news,
    publicUrl: undefined,
    feedback: undefined,
  });
  const intake = createIntake({
    whyNoPlan: () => 'no plans here',
    rollBack: () => assert.fail('nothing is rolled back here'),
    pressed: () => assert.fail('nothing is pressed here'),
    commented: () => assert.fail('nothing is commented here'),
    ordering: { overtaken: async () => new Map() },
    store,
    catalog,
    mirrors: { fetch: async () => undefined, standings: () => assert.fail('git is not asked') },
    resolve: async (event) => event,
    transitions,
    apiUrl: 'https://api.github.com',
    leaseMs: 30_000,
    clock,
    logger,
    news,
  });
  const operate = createOperate({
    store,
    catalog,
    transitions,
    specOf,
    clock,
  });
  const person = { name: 'A', email: 'a@example.com' };
  const deploy = createDeploy({
    store,
    catalog,
    mirrors: {
      findRevision: async (_repository, name) => ({
        sha: 'b'.repeat(40),
        ref: `refs/heads/${name}`,
      }),
      commit: async () => ({
        message: 'x',
        committedAt: '2026-01-02T03:04:05Z',
        author: person,
        committer: person,
      }),
    },
    transitions,
    clock,
    news,
  });
  const gates = createGates({
    store,
    transitions,
    specOf,
    approvers: async (_run, all) => ({ counted: [...all.keys()], refused: undefined }),
    clock,
  });
  const pausing = createPausing({
    store,
    transitions,
    catalog,
    clock,
  });
  const { server } = createHttpServer({
    store,
    catalog,
    intake,
    operate,
    gates,
    deploy,
    backtest: createBacktest({ store, catalog }),
    why: createWhy({ store, catalog }),
    stepLimits: {},
    budget: () => [],
    pausing,
    ...hooksOf(store, catalog, clock),
    ...settingsOf(clock.now()),
    webhookSecrets: [WEBHOOK_SECRET],
    spoolDirectory: directory,
    trustedProxies: [],
    adminToken: options.token ?? ADMIN_TOKEN,
    publicUrl: undefined,
    githubUrl: 'https://github.com',
    version: '9.8.7',
    clock,
    logger,
    news,
    ended: createBroadcast(),
  });
  const stopping = new AbortController();
  const working = intake.run(stopping.signal);
  const url = await listen(server);
  return {
    url,
    store,
    transitions,
    news,
    dropConnections: () => server.closeAllConnections(),
    async close() {
      stopping.abort();
      await working;
      await closeServer(server);
      await store.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** A server that answers as a test wants it to. */
export async function startAnswering(
  answer: RequestListener,
): Promise<{ url: string; close: () => Promise<void> }> {
  const server = createServer(answer);
  const url = await listen(server);
  return { url, close: () => closeServer(server) };
}

/** An address at which nothing listens: a port that no system gives away, and that `fetch` does not refuse to ask. */
export const NOBODY_AT = 'http://127.0.0.1:2';

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return `http://127.0.0.1:${port}`;
}

async function closeServer(server: Server): Promise<void> {
  const closed = new Promise((resolve) => server.close(resolve));
  server.closeAllConnections();
  await closed;
}
