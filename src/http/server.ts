import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { ClientCertificates } from '../config/client-certificates.ts';
import type { GitServers } from '../lib/servers.ts';
import type { Router } from '@koa/router';
import Koa, { type Context } from 'koa';
import type { Broadcast } from '../lib/broadcast.ts';
import type { Clock } from '../lib/clock.ts';
import { createNetworks } from '../lib/networks.ts';
import type { Logger } from '../lib/logger.ts';
import { withOrigin } from '../lib/origin.ts';
import type { Intake } from '../controller/intake/intake.ts';
import type { Backtest } from '../controller/operator/backtest.ts';
import type { Deploy } from '../controller/operator/deploy.ts';
import type { Gates } from '../controller/operator/gates.ts';
import type { Operate } from '../controller/operator/operate.ts';
import type { BudgetUsage } from '../github/budget.ts';
import { createTryEvent } from '../controller/operator/try-event.ts';
import { createAsk } from '../controller/operator/ask.ts';
import type { AskWhy } from '../controller/operator/why.ts';
import type { Pausing } from '../controller/operator/pausing.ts';
import type { StepLimits } from '../lib/step-limits.ts';
import type { News } from '../model/news.ts';
import type { Run } from '../model/run.ts';
import type { Catalog } from '../spec/catalog.ts';
import type { Store } from '../store/index.ts';
import { access } from './access.ts';
import { automationOperations } from './api/automation.ts';
import { atAGlanceOperations } from './api/at-a-glance.ts';
import { backtestOperations } from './api/backtest.ts';
import { createAuth } from './auth/index.ts';
import { createPeopleViewers, type PeopleDeps } from './auth/people.ts';
import { loginLinkOperations } from './api/login-links.ts';
import { deliveryOperations } from './api/deliveries.ts';
import { gateOperations } from './api/gates.ts';
import { withOpenApi } from './api/openapi.ts';
import { overviewOperations } from './api/overview.ts';
import { pauseOperations } from './api/pauses.ts';
import { previewOperations } from './api/previews.ts';
import { historyOperations } from './api/history.ts';
import { tryOperations } from './api/tries.ts';
import { whyOperations } from './api/why.ts';
import { insightOperations } from './api/insights.ts';
import { settingsOperations } from './api/settings.ts';
import type { CheckUp, Settings } from './read/settings.ts';
import { createRunBacktest } from './read/backtest-turn.ts';
import { createReadInsights } from './read/insights.ts';
import { apiRouter } from './api/route.ts';
import { runOperations } from './api/runs.ts';
import { badgeRoutes } from './badge.ts';
import { createClientCertificate } from './client-certificate.ts';
import { clientOf } from './client-address.ts';
import { boundConnections } from './connections.ts';
import type { Hooks } from '../controller/hooks/hooks.ts';
import type { HookRegistry } from '../controller/hooks/registry.ts';
import { createWaitForResult } from '../controller/hooks/results.ts';
import { createTryHook } from '../controller/hooks/try-out.ts';
import { createHookRefusals } from './hook-refusals.ts';
import { hookOperations } from './api/hooks.ts';
import { createHookHandler, hookTarget } from './hooks.ts';
import { healthRoutes } from './health.ts';
import { lingerAfterRefusals } from './linger.ts';
import { createMetrics } from './metrics.ts';
import { createDashboard } from './pages/index.ts';
import { problems } from './problem.ts';
import { createAskCostly } from './questions.ts';
import { createGuard } from './guard.ts';
import { createRepositoryOfRun } from './read/run-repositories.ts';
import { createCommits } from './read/commits.ts';
import { createRecentRuns } from './read/recent-runs.ts';
import { createReadBody } from './read-body.ts';
import { createSecureServer } from './secure-server.ts';
import { createRefusals } from './refusals.ts';
import { createStopping } from './stopping.ts';
import { createTakeIn } from './take-in.ts';
import { createWebhookHandler, isWebhook } from './webhooks.ts';

/** A sender that is slow on purpose holds a connection only this long: Node looks for such every five seconds. */
const TIMES = {
  headersTimeout: 10_000,
  requestTimeout: 60_000,
  keepAliveTimeout: 10_000,
  connectionsCheckingInterval: 5000,
};

export interface HttpDeps {
  store: Store;
  catalog: Catalog;
  intake: Intake;
  operate: Operate;
  gates: Gates;
  deploy: Deploy;
  backtest: Backtest;
  why: AskWhy;
  /** What steps of specs may ask for at most. */
  stepLimits: StepLimits;
  /** What is left of the budgets at GitHub. */
  budget: () => BudgetUsage[];
  pausing: Pausing;
  webhookSecrets: readonly string[];
  /** Whether GitHub's webhooks may come from an address; undefined: from any. */
  isFromGitHub?: ((address: string) => boolean) | undefined;
  hooks: Hooks;
  hookRegistry: HookRegistry;
  settings: Settings;
  checkUp: CheckUp;
  /** Where bodies may be kept in files while they are read. */
  spoolDirectory: string;
  /** Addresses and networks of proxies whose `X-Forwarded-For` counts. */
  trustedProxies: readonly string[];
  /** How clients of hooks show certificates. */
  clientCertificates?: ClientCertificates | undefined;
  adminToken: string;
  /** Log-in with GitHub; undefined: the admin token alone logs in. */
  people?: PeopleDeps | undefined;
  /** What session cookies are signed with beside the admin token; default nothing. */
  sessionKeys?: readonly string[];
  /** Where people reach it. Without a slash at the end. */
  publicUrl: string | undefined;
  /** Of GitHub, without a slash at the end. */
  githubUrl: string;
  /** Git servers beside it; default none. */
  servers?: GitServers;
  version: string;
  clock: Clock;
  logger: Logger;
  news: Broadcast<News>;
  /** Each run that this process has ended. */
  ended: Pick<Broadcast<Run>, 'subscribe'>;
}

export interface HttpServer {
  /** Not yet listening. */
  server: Server;
  /** For hooks alone, over TLS with a certificate of the client; undefined where none is set. */
  secureServer: Server | undefined;
  /** Every route but that of webhooks and the files of the dashboard: `GET /runs/:id`. */
  routes: readonly string[];
  /** Answers what is under way, turns away the rest, and closes it: `Stopping`. */
  stop(): Promise<void>;
}

/** Everything that Mainsheet answers over HTTP. */
export function createHttpServer(deps: HttpDeps): HttpServer {
  const { store, catalog, intake, operate, news, clock, logger } = deps;
  const isProxy = createNetworks(deps.trustedProxies);
  const auth = createAuth({
    token: deps.adminToken,
    addressOf: (ctx) => clientOf(ctx.req, isProxy).address,
    keys: deps.sessionKeys ?? [],
    sessions: store.sessions,
    publicUrl: deps.publicUrl,
    viewerOf: deps.people && createPeopleViewers({ ...deps, people: deps.people }),
    news,
    clock,
  });
  const metrics = createMetrics({ store, catalog, news, ended: deps.ended, budget: deps.budget });
  const app = new Koa();
  // Errors are answered and logged in `problems`; what is left is a client that hung up.
  app.on('error', (error: Error) =>
    logger.debug({ error: error.message }, 'connection ended early'),
  );
  const stopping = createStopping(clock);
  app.use(asPrivate);
  app.use(problems(logger));
  app.use(stopping.guard);
  const readBody = createReadBody({ clock, directory: deps.spoolDirectory });
  const takeIn = createTakeIn({ store, intake, news, clock, logger });
  const { authorities = [], header, listener } = deps.clientCertificates ?? {};
  const refusals = createRefusals({ clock, logger, metrics });
  const hookRefusals = createHookRefusals(clock);
  const takeHook = createHookHandler({
    hooks: deps.hooks,
    waitForResult: createWaitForResult({ store, news, clock }),
    stopping,
    isProxy,
    refusals,
    hookRefusals,
    clientCertificate: createClientCertificate({ authorities, header, isProxy, clock }),
    readBody,
    takeIn,
    clock,
    logger,
    metrics,
  });
  app.use(
    async (ctx, next) => await withOrigin(originOf(ctx, clientOf(ctx.req, isProxy).address), next),
  );
  const health = healthRoutes({
    store,
    catalog,
    metrics,
    hasToken: auth.hasToken,
    areMetricsClosed: deps.people !== undefined,
  });
  app.use(health.routes());

  const reading = {
    commits: createCommits(store),
    recentRuns: createRecentRuns({ store, news, clock }),
    readInsights: createReadInsights(store),
  };
  const hookPages = {
    refused: hookRefusals,
    hasSecret: deps.settings.hasSecret,
    tryHook: createTryHook({ hooks: deps.hooks, catalog, clock, store }),
  };
  const askCostly = createAskCostly(clock);
  const guard = createGuard({ store, catalog });
  const ask = createAsk(deps);
  const tries = {
    runBacktest: createRunBacktest(deps.backtest),
    tryEvent: createTryEvent({ catalog, repositories: store.repositories }),
  };
  const operations = withOpenApi(
    [
      ...hookOperations({ store, catalog, clock, ...hookPages, registry: deps.hookRegistry }),
      ...deliveryOperations({ store, intake, catalog, guard }),
      ...runOperations({ ...deps, guard }),
      ...gateOperations(deps.gates, guard),
      ...pauseOperations({ store, catalog, pausing: deps.pausing, guard }),
      ...atAGlanceOperations({ store, catalog, ...reading, gates: deps.gates, clock }),
      ...automationOperations({ store, catalog, ...reading, clock }),
      ...previewOperations(store),
      ...historyOperations({ ...deps, ...reading }),
      ...overviewOperations({
        store,
        catalog,
        operate,
        news,
        guard,
        repositoryOfRun: createRepositoryOfRun(store),
        githubUrl: deps.githubUrl,
      }),
      ...whyOperations({ ...deps, ask }),
      ...insightOperations({ ...reading, clock }),
      ...backtestOperations({
        ...tries,
        clock,
        stepLimits: deps.stepLimits,
        flushed: store.flushed,
      }),
      ...tryOperations({ guard, ...tries }),
      ...settingsOperations(deps),
      ...loginLinkOperations(auth.logIns),
    ],
    deps.version,
  );
  const api = apiRouter(
    '/api/v1',
    access(auth.authenticate),
    operations,
    logger,
    store.flushed,
    askCostly,
  );
  app.use(api.routes());
  app.use(api.allowedMethods());
  const badges = badgeRoutes({ catalog, recentRuns: reading.recentRuns });
  app.use(badges.routes());
  const { assets, pages, nowhere } = createDashboard({
    ...deps,
    ...reading,
    ...hookPages,
    ...tries,
    ask,
    askCostly,
    auth,
  });
  app.use(nowhere);
  app.use(assets);
  app.use(pages.routes());
  app.use(pages.allowedMethods());

  const others = app.callback();
  function handle(request: IncomingMessage, response: ServerResponse): Promise<unknown> {
    const target = hookTarget(request.url);
    return target === undefined ? others(request, response) : takeHook(target, request, response);
  }
  const takeWebhook = createWebhookHandler({
    secrets: deps.webhookSecrets,
    readBody,
    takeIn,
    settle: (event, payload, length) => intake.settle(event, payload, length),
    turnAway: () => stopping.turnAway(),
    isProxy,
    isFromGitHub: deps.isFromGitHub,
    refusals,
    clock,
    logger,
    metrics,
  });
  const server = createServer(
    TIMES,
    stopping.serve((request, response) =>
      isWebhook(request.url) ? takeWebhook(request, response) : handle(request, response),
    ),
  );
  server.maxHeadersCount = 100;
  boundConnections(server);
  lingerAfterRefusals(server, clock);
  const routes = [health, api, badges, pages].flatMap(routesOf);
  const secureServer =
    listener === undefined
      ? undefined
      : createSecureServer({ ...TIMES, ...listener, authorities }, stopping.serve(handle));
  const servers = secureServer === undefined ? [server] : [server, secureServer];
  async function stop(): Promise<void> {
    await Promise.all(servers.map((one) => stopping.stop(one)));
  }
  return { server, secureServer, routes, stop };
}

/** Whatever is answered is for who asked alone, and is what it says that it is; routes say where it is otherwise. */
async function asPrivate(ctx: Context, next: () => Promise<unknown>): Promise<void> {
  ctx.set('Cache-Control', 'no-store');
  ctx.set('X-Content-Type-Options', 'nosniff');
  await next();
}

/** What people do is written down with where they did it. That a command does it, its name alone says. */
function originOf(ctx: Context, address: string): string {
  const isCommand = ctx.get('User-Agent').startsWith('mainsheet/');
  const way = !ctx.path.startsWith('/api/') ? 'dashboard' : isCommand ? 'command line' : 'API';
  return `${way} from ${address}`;
}

function routesOf(router: Router): string[] {
  return router.stack.flatMap(({ methods, path }) =>
    methods.filter((method) => method !== 'HEAD').map((method) => `${method} ${String(path)}`),
  );
}
