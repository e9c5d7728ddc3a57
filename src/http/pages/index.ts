import type { Router } from '@koa/router';
import type { Middleware } from 'koa';
import type { Broadcast } from '../../lib/broadcast.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import type { News } from '../../model/news.ts';
import type { Catalog } from '../../spec/catalog.ts';
import type { Store } from '../../store/index.ts';
import type { Auth } from '../auth/index.ts';
import { createCommits } from '../read/commits.ts';
import { createRecentRuns } from '../read/recent-runs.ts';
import { createAssets } from './assets.ts';
import { liveRoutes } from './live.ts';
import { loginRoutes } from './login.ts';
import { overviewRoutes } from './overview.ts';
import type { PageRoute } from './page.ts';
import { pageRouter } from './router.ts';

export interface DashboardDeps {
  store: Store;
  catalog: Catalog;
  news: Broadcast<News>;
  auth: Auth;
  adminToken: string;
  publicUrl: string | undefined;
  version: string;
  clock: Clock;
  logger: Logger;
}

/** The pages, and what they load. */
export function createDashboard(deps: DashboardDeps): { assets: Middleware; pages: Router } {
  const { store, auth } = deps;
  const assets = createAssets();
  const recentRuns = createRecentRuns(deps);
  const commits = createCommits(store);
  const routes: PageRoute[] = [
    ...loginRoutes({ token: deps.adminToken, ...auth }),
    ...liveRoutes(deps),
    ...overviewRoutes({ store, catalog: deps.catalog, recentRuns, commits }),
  ];
  const pages = pageRouter(routes, {
    authenticate: auth.authenticate,
    assets,
    publicUrl: deps.publicUrl,
    version: deps.version,
    clock: deps.clock,
    logger: deps.logger,
    flushed: store.flushed,
  });
  return { assets: assets.serve, pages };
}
