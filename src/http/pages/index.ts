import type { GitServers } from '../../lib/servers.ts';
import type { Router } from '@koa/router';
import type { Middleware } from 'koa';
import type { Ask } from '../../controller/operator/ask.ts';
import type { TryEvent } from '../../controller/operator/try-event.ts';
import type { StepLimits } from '../../lib/step-limits.ts';
import type { AskCostly } from '../questions.ts';
import type { RunBacktest } from '../read/backtest-turn.ts';
import type { Intake } from '../../controller/intake/intake.ts';
import type { Deploy } from '../../controller/operator/deploy.ts';
import type { Pausing } from '../../controller/operator/pausing.ts';
import type { Gates } from '../../controller/operator/gates.ts';
import type { Operate } from '../../controller/operator/operate.ts';
import type { Broadcast } from '../../lib/broadcast.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import type { News } from '../../model/news.ts';
import type { Catalog } from '../../spec/catalog.ts';
import type { Store } from '../../store/index.ts';
import type { Auth } from '../auth/index.ts';
import type { PeopleDeps } from '../auth/people.ts';
import { createGuard } from '../guard.ts';
import type { Commits } from '../read/commits.ts';
import type { ReadInsights } from '../read/insights.ts';
import type { RecentRuns } from '../read/recent-runs.ts';
import { activityRoutes } from './activity.ts';
import { automationRoutes } from './automation.ts';
import { callbackRoutes } from './callbacks.ts';
import { deliveryRoutes } from './deliveries.ts';
import { runListRoutes } from './runs.ts';
import { specActionRoutes } from './spec-actions.ts';
import { backtestRoutes } from './backtest.ts';
import { historyRoutes } from './history.ts';
import { specRoutes } from './specs.ts';
import { hookPageRoutes, type HookPagesDeps } from './hooks.ts';
import { settingsRoutes } from './settings.ts';
import type { SettingsDeps } from '../read/settings.ts';
import { createAssets } from './assets.ts';
import { createLogIndexes } from './log/log-index.ts';
import { logRoutes } from './log/routes.ts';
import { runActionRoutes } from './run-actions.ts';
import { runRoutes } from './run.ts';
import { insightRoutes } from './insights.ts';
import { liveRoutes } from './live.ts';
import { githubLoginRoutes } from './github-login.ts';
import { loginRoutes, type LoginDeps } from './login.ts';
import { overviewRoutes } from './overview.ts';
import type { PageRoute } from './page.ts';
import { nowhere, pageRouter } from './router.ts';
import { tryRoutes } from './try.ts';
import { whyRoutes } from './why.ts';

export interface DashboardDeps extends HookPagesDeps, SettingsDeps {
  store: Store;
  catalog: Catalog;
  commits: Commits;
  recentRuns: RecentRuns;
  readInsights: ReadInsights;
  news: Broadcast<News>;
  intake: Intake;
  ask: Ask;
  tryEvent: TryEvent;
  runBacktest: RunBacktest;
  /** What steps of specs may ask for at most. */
  stepLimits: StepLimits;
  operate: Operate;
  gates: Gates;
  deploy: Deploy;
  pausing: Pausing;
  /** Of GitHub, without a slash at the end. */
  githubUrl: string;
  /** Git servers beside it; default none. */
  servers?: GitServers;
  auth: Auth;
  askCostly: AskCostly;
  adminToken: string;
  /** Log-in with GitHub. */
  people?: Pick<PeopleDeps, 'signIn'> | undefined;
  publicUrl: string | undefined;
  version: string;
  clock: Clock;
  logger: Logger;
}

/** The pages, what they load, and what answers where there is nothing. */
export function createDashboard(deps: DashboardDeps): {
  assets: Middleware;
  pages: Router;
  nowhere: Middleware;
} {
  const { store, auth, commits, recentRuns } = deps;
  const guard = createGuard(deps);
  const assets = createAssets();
  const logs = createLogIndexes(store);
  const { people } = deps;
  const login: LoginDeps = {
    token: deps.adminToken,
    ...auth,
    withGitHub: people !== undefined,
  };
  const routes: PageRoute[] = [
    ...loginRoutes(login),
    ...(people === undefined ? [] : githubLoginRoutes({ ...deps, ...auth, ...people, ...login })),
    ...liveRoutes({ ...deps, logs, guard }),
    ...runRoutes({ ...deps, commits, recentRuns, logs }),
    ...logRoutes({ ...deps, logs, guard }),
    ...runActionRoutes({ ...deps, guard }),
    ...runListRoutes({ ...deps, commits }),
    ...deliveryRoutes({ ...deps, guard }),
    ...specRoutes({ ...deps, commits }),
    ...historyRoutes({ ...deps, commits }),
    ...whyRoutes({ ...deps, commits }),
    ...tryRoutes({ ...deps, guard }),
    ...backtestRoutes({ ...deps, guard }),
    ...specActionRoutes({ ...deps, guard }),
    ...callbackRoutes({ ...deps, guard }),
    ...insightRoutes(deps),
    ...hookPageRoutes(deps),
    ...settingsRoutes(deps),
    ...automationRoutes({ ...deps, recentRuns, commits }),
    ...activityRoutes(deps),
    ...overviewRoutes({ store, catalog: deps.catalog, recentRuns, commits }),
  ];
  const serving = {
    authenticate: auth.authenticate,
    assets,
    publicUrl: deps.publicUrl,
    version: deps.version,
    clock: deps.clock,
    logger: deps.logger,
    flushed: store.flushed,
    askCostly: deps.askCostly,
  };
  return { assets: assets.serve, pages: pageRouter(routes, serving), nowhere: nowhere(serving) };
}
