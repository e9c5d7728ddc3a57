import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { pino } from 'pino';
import type { Intake } from '../../src/controller/intake/intake.ts';
import type { BudgetUsage } from '../../src/github/budget.ts';
import { createWhy } from '../../src/controller/operator/why.ts';
import type { CheckUp } from '../../src/http/read/settings.ts';
import { createBacktest } from '../../src/controller/operator/backtest.ts';
import { keyOf, type Gates, type Person } from '../../src/controller/operator/gates.ts';
import type { Operate } from '../../src/controller/operator/operate.ts';
import type { Pausing } from '../../src/controller/operator/pausing.ts';
import { createHttpServer, type HttpDeps } from '../../src/http/server.ts';
import type { Clock } from '../../src/lib/clock.ts';
import { createBroadcast, type Broadcast } from '../../src/lib/broadcast.ts';
import { TerminalError } from '../../src/lib/errors.ts';
import type { Hook } from '../../src/model/hook.ts';
import type { News } from '../../src/model/news.ts';
import type { Run } from '../../src/model/run.ts';
import type { Catalog, CatalogState } from '../../src/spec/catalog.ts';
import type { Store } from '../../src/store/index.ts';
import { sampleRun } from '../store/samples.ts';
import { hooksOf } from '../support/hooks.ts';
import { newStore } from '../support/new-store.ts';
import { settingsOf } from '../support/settings.ts';
import { ADMIN_TOKEN } from '../support/admin.ts';

export const NOW = Date.UTC(2026, 0, 2, 3, 4, 5);

/** The HTTP server on a real store and a free port; what is behind it is replaced. */
export interface Fixture {
  url: string;
  port: number;
  server: Server;
  secureServer: Server | undefined;
  /** What it is made of. */
  deps: HttpDeps;
  /** Every route, as `GET /runs/:id`. */
  routes: () => readonly string[];
  /** Asks it to stop, as SIGTERM does. */
  stop: () => Promise<void>;
  store: Store;
  /** The store's file, to be opened again when the store was closed. */
  file: string;
  news: Broadcast<News>;
  /** Hears of runs that have ended. */
  ended: Broadcast<Run>;
  /** What the catalog says; tests change it. */
  specs: CatalogState;
  /** How often the intake was woken. */
  wakes: () => number;
  /** What operators asked for: `cancel r1 as admin`. */
  asked: string[];
  /** What was logged. */
  log: Record<string, unknown>[];
}

export async function startHttp(
  t: TestContext,
  options: {
    secrets?: string[];
    trustedProxies?: string[];
    clientCertificates?: HttpDeps['clientCertificates'];
    /** From where GitHub sends, as it says. */
    isGitHub?: (address: string) => boolean;
    /** Whether its own route takes nothing from elsewhere. */
    onlyFromGitHub?: boolean;
    /** When it is, in milliseconds since the epoch. */
    now?: number;
    hooks?: Hook[];
    hookSecrets?: Record<string, string>;
    adminToken?: string;
    publicUrl?: string;
    /** Who may log in with GitHub: see `people.ts`. */
    people?: HttpDeps['people'];
    intake?: Partial<Intake>;
    operate?: Partial<Operate>;
    gates?: Partial<Gates>;
    backtest?: HttpDeps['backtest'];
    budget?: () => BudgetUsage[];
    /** The environment that the page of settings shows. */
    settings?: Record<string, string>;
    checkUp?: CheckUp;
    /** How much time has passed, in milliseconds; by default none. */
    passed?: () => number;
    /** How long sleeps are; by default they do not end. */
    sleep?: Clock['sleep'];
  } = {},
): Promise<Fixture> {
  const directory = await mkdtemp(join(tmpdir(), 'mainsheet-http-'));
  const file = join(directory, 'mainsheet.db');
  const store = await newStore(file);
  const news = createBroadcast<News>();
  const ended = createBroadcast<Run>();
  const specs: CatalogState = { specs: [], problems: [], loadedAt: NOW, stale: false };
  const log: Record<string, unknown>[] = [];
  const asked: string[] = [];
  let wakes = 0;
  const now = () => (options.now ?? NOW) + (options.passed?.() ?? 0);
  const clock = { now, elapsed: now, sleep: options.sleep ?? untilAborted };
  const deps: HttpDeps = {
    store,
    catalog: catalogOf(specs, options.hooks ?? []),
    intake: {
      wake: () => (wakes += 1),
      settle: async () => undefined,
      accepted: () => (wakes += 1),
      run: async () => undefined,
      replay: async (delivery) => {
        throw new TerminalError('delivery-unknown', `there is no delivery ${delivery}`);
      },
      ...options.intake,
    },
    operate: { ...operateOn(store, asked), ...options.operate },
    gates: { ...gatesOn(store, asked), ...options.gates },
    deploy: async (spec, revision, actor) => {
      asked.push(`deploy ${spec} ${revision} as ${actor}`);
      return { ...sampleRun('deployed'), sequence: 1 };
    },
    backtest:
      options.backtest ?? createBacktest({ store, catalog: catalogOf(specs, options.hooks ?? []) }),
    why: createWhy({ store, catalog: catalogOf(specs, options.hooks ?? []) }),
    stepLimits: {},
    budget: options.budget ?? (() => []),
    pausing: pausingOf(asked),
    webhookSecrets: options.secrets ?? ['secret'],
    ...hooksOf(store, catalogOf(specs, options.hooks ?? []), clock, {
      values: options.hookSecrets,
      isGitHub: options.isGitHub,
    }),
    ...settingsOf(now(), { environment: options.settings, secrets: options.hookSecrets }),
    ...(options.checkUp === undefined ? {} : { checkUp: options.checkUp }),
    isFromGitHub: options.onlyFromGitHub === true ? options.isGitHub : undefined,
    spoolDirectory: directory,
    trustedProxies: options.trustedProxies ?? [],
    clientCertificates: options.clientCertificates,
    adminToken: options.adminToken ?? ADMIN_TOKEN,
    publicUrl: options.publicUrl,
    people: options.people,
    githubUrl: 'https://github.com',
    version: '1.2.3',
    clock,
    logger: pino(
      { level: 'debug', base: null },
      { write: (line: string) => log.push(JSON.parse(line) as Record<string, unknown>) },
    ),
    news,
    ended,
  };
  const { server, secureServer, routes, stop } = createHttpServer(deps);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  t.after(async () => {
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
    await store.close();
    await rm(directory, { recursive: true, force: true });
  });
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    server,
    secureServer,
    deps,
    routes: () => routes,
    stop,
    store,
    file,
    news,
    ended,
    specs,
    wakes: () => wakes,
    asked,
    log,
  };
}

const untilAborted: Clock['sleep'] = (_ms, signal) =>
  new Promise((resolve) => signal?.addEventListener('abort', () => resolve()));

function catalogOf(state: CatalogState, hooks: readonly Hook[]): Catalog {
  const loaded = hooks.map((hook) => ({ hook, file: 'hooks.yaml', line: 1 }));
  return {
    current: () => state,
    forRepository: (repository) => state.specs.filter(({ spec }) => spec.repository === repository),
    byName: (name) => state.specs.find(({ spec }) => spec.name === name),
    forHook: (id) =>
      state.specs.filter(({ spec }) => spec.on.hooks?.some((hook) => hook.id === id)),
    hook: (id) => loaded.find(({ hook }) => hook.id === id),
    hooks: () => loaded,
    secret: () => undefined,
    reload: async () => state,
    watch: () => undefined,
    onChange: () => () => undefined,
  };
}

function pausingOf(asked: string[]): Pausing {
  return {
    async pause({ kind, name }, actor, reason) {
      asked.push(`pause ${kind} ${name} as ${actor}: ${reason}`);
      return { pause: { kind, name, since: NOW, by: actor, reason }, runs: [] };
    },
    async resume({ kind, name }, actor) {
      asked.push(`resume ${kind} ${name} as ${actor}`);
      return { pause: { kind, name, since: NOW, by: actor, reason: '' }, runs: [] };
    },
  };
}

function gatesOn(store: Store, asked: string[]): Gates {
  const ask = (what: string) => async (id: string, by: Person, reason: string) => {
    asked.push(`${what} ${id} as ${keyOf(by)}: ${reason}`);
    const run = await store.runs.get(id);
    if (run === undefined) throw new TerminalError('run-unknown', `there is no run ${id}`);
    return run;
  };
  return {
    approve: ask('approve'),
    reject: ask('reject'),
    override: ask('override'),
    view: async () => [],
  };
}

const because = (actor: string, reason = '') => (reason === '' ? actor : `${actor}: ${reason}`);

/** Answers with the run itself; throws what the real one throws for what is not there. */
function operateOn(store: Store, asked: string[]): Operate {
  const ask = (what: string) => async (id: string, actor: string) => {
    asked.push(`${what} ${id} as ${actor}`);
    const run = await store.runs.get(id);
    if (run === undefined) throw new TerminalError('run-unknown', `there is no run ${id}`);
    return run;
  };
  return {
    cancel: ask('cancel'),
    retry: ask('retry'),
    rollback: async (id, actor, how) => ({
      run: await ask('rollback')(id, because(actor, how?.reason)),
      pause: undefined,
    }),
    rollbackSpec: async (name, actor, how) => ({
      run: await ask('rollback spec')(name, because(actor, how?.reason)),
      pause: undefined,
    }),
    checkRollback: () => assert.fail('no request of the API is in a transaction of its caller'),
    rollbackSpecIn: () => assert.fail('no request of the API is in a transaction of its caller'),
    async resendAll(actor) {
      asked.push(`resend all as ${actor}`);
      return 0;
    },
    async resend(entry, actor, whole) {
      asked.push(`resend ${entry}${whole === true ? ' and its target' : ''} as ${actor}`);
      if ((await store.outbox.get(entry)) !== undefined) return;
      throw new TerminalError('entry-unknown', `there is no callback ${entry}`);
    },
  };
}
