import { Router } from '@koa/router';
import { describeError } from '../lib/errors.ts';
import type { Catalog } from '../spec/catalog.ts';
import { formatProblem } from '../spec/problem.ts';
import type { Store } from '../store/index.ts';
import type { HasToken } from './auth/bearer.ts';
import type { Metrics } from './metrics.ts';
import { tokenMissing } from './access.ts';
import { ProblemError } from './problem.ts';

/** `private`: only for those who may use the API. */
type Check = { ok: true } | { ok: false; detail: string; count?: number; private?: Details };

interface Details {
  detail?: string;
  problems?: string[];
}

/**
 * `/healthz`: the process answers. `/readyz`: the store can be read and written and the specs are valid; `?check=store` looks at
 * the store alone, for a load balancer: a broken spec is a reason for an alert, not to turn webhooks away. Both answer
 * everybody; what exactly is wrong is for those who may use the API, because specs and errors name what is inside.
 */
export function healthRoutes(deps: {
  store: Store;
  catalog: Catalog;
  metrics: Metrics;
  hasToken: HasToken;
  /** Whether `/metrics` is only for those who may use the API. */
  areMetricsClosed: boolean;
}): Router {
  const checks: Record<string, () => Promise<Check>> = {
    store: () => checkStore(deps.store),
    specs: async () => checkSpecs(deps.catalog),
  };
  const router = new Router();

  router.get('/healthz', (ctx) => {
    ctx.body = { status: 'ok' };
  });

  router.get('/readyz', async (ctx) => {
    // Each once, however often the query names it.
    const asked = new Set([ctx.query['check'] ?? Object.keys(checks)].flat());
    const isTrusted = deps.hasToken(ctx);
    const results: Record<string, { ok: boolean }> = {};
    for (const name of asked) {
      const check = Object.hasOwn(checks, name) ? checks[name] : undefined;
      if (check === undefined) {
        throw new ProblemError(400, 'unknown-check', `there is no check ${JSON.stringify(name)}`, {
          hint: `the checks are ${Object.keys(checks).join(', ')}`,
        });
      }
      results[name] = shown(await check(), isTrusted);
    }
    const ready = Object.values(results).every((result) => result.ok);
    ctx.status = ready ? 200 : 503;
    ctx.body = { status: ready ? 'ready' : 'not ready', checks: results };
  });

  router.get('/metrics', async (ctx) => {
    // They name specs and repositories.
    if (deps.areMetricsClosed && !deps.hasToken(ctx)) throw tokenMissing();
    ctx.type = deps.metrics.registry.contentType;
    ctx.body = await deps.metrics.registry.metrics();
  });
  return router;
}

async function checkStore(store: Store): Promise<Check> {
  try {
    await store.ping();
    return { ok: true };
  } catch (error) {
    return {
      ok: false,
      detail: 'the database does not answer',
      private: { detail: describeError(error) },
    };
  }
}

function checkSpecs(catalog: Catalog): Check {
  const { stale, problems, specs } = catalog.current();
  if (!stale) return { ok: true };
  return {
    ok: false,
    detail: `the specs on disk are not valid; what is in use is the last valid set, ${specs.length} in number`,
    count: problems.length,
    private: { problems: problems.map(formatProblem) },
  };
}

function shown(check: Check, isTrusted: boolean): { ok: boolean } {
  if (check.ok) return check;
  const { private: details, ...open } = check;
  return isTrusted ? { ...open, ...details } : open;
}
