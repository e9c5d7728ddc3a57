import { setTimeout as delay } from 'node:timers/promises';
import type { Page } from 'playwright-core';
import { isoTime } from '../../src/lib/clock.ts';
import { logIn } from '../http/pages/browser.ts';
import { NOW, startHttp, type Fixture } from '../http/fixture.ts';
import { peopleWith } from '../http/people.ts';
import { MADE_HOOK, showcaseHooks } from './showcase-automation.ts';
import { SHOWCASE_BUDGET, SHOWCASE_SETTINGS, showcaseChecks } from './showcase-settings.ts';
import { PLAN_RUN, planGates } from './showcase-plan.ts';
import { fillShowcase } from './showcase.ts';

/** The dashboard with a small company's deployments, or with nothing at all, at the present time. */
export async function startShowcase(
  context: Parameters<typeof startHttp>[0],
  kind: 'full' | 'empty',
): Promise<Fixture & { paths: Record<string, string>; cookie: string }> {
  const server = await startHttp(context, {
    passed: () => Date.now() - NOW,
    ...(kind === 'full'
      ? {
          gates: { view: planGates },
          hooks: showcaseHooks(),
          hookSecrets: { REGISTRY_SECRET: 'secret' },
          settings: SHOWCASE_SETTINGS,
          budget: () => SHOWCASE_BUDGET,
          checkUp: showcaseChecks(Date.now()),
        }
      : { people: peopleWith({}) }),
    sleep: (ms, signal) => delay(ms, undefined, { signal }).catch(() => undefined),
  });
  if (kind === 'full') await fillShowcase(server.store, server.specs, Date.now());
  for (const _ of kind === 'full' ? [1, 2, 3] : []) {
    // Without a signature.
    const headers = { 'Content-Type': 'application/json' };
    await fetch(`${server.url}/webhooks/v1/hooks/registry`, {
      method: 'POST',
      headers,
      body: '{}',
    });
  }
  const cookie = (await logIn(server.url)).split('=')[1] ?? '';
  return { ...server, cookie, paths: await pathsOf(server, kind) };
}

/** What is pressed on pages that answer a form. */
const PRESSED: Record<string, string> = {
  'try-result': 'Try the ref',
  'backtest-result': 'Compare',
};

/** Opens a page as it is looked at. Who looks at the log-in is not logged in. */
export async function reach(page: Page, url: string, name: string): Promise<void> {
  const tab = page.context();
  const cookies = await tab.cookies();
  if (name === 'login') await tab.clearCookies();
  await page.goto(url);
  if (name === 'login') await tab.addCookies(cookies);
  const button = PRESSED[name];
  if (button === undefined) return;
  await page.getByRole('button', { name: button }).click();
  await page.locator('[aria-label="What would happen"], [aria-label="Differences"]').waitFor();
}

/** The path of each page, by its name. */
async function pathsOf(
  { store }: Fixture,
  kind: 'full' | 'empty',
): Promise<Record<string, string>> {
  const lists = {
    overview: '/',
    runs: '/runs',
    deliveries: '/deliveries',
    specs: '/specs',
    why: '/why',
    callbacks: '/callbacks',
    insights: '/insights',
    activity: '/activity',
    automation: '/automation',
    hooks: '/hooks',
    settings: '/settings',
    login: '/login',
  };
  if (kind === 'empty') return { ...lists, missing: '/runs/unknown' };
  const paths: Record<string, string> = lists;
  for (const state of ['failed', 'running', 'succeeded'] as const) {
    const { items } = await store.runs.list({ limit: 1, before: undefined }, { state });
    paths[`run-${state}`] = `/runs/${items[0]?.id}`;
  }
  const { items: deliveries } = await store.inbox.list({ limit: 1, before: undefined });
  const at = { spec: 'storefront-production', lane: 'storefront-production-production' };
  const { items: live } = await store.deployed.list(at, { limit: 4, before: undefined });
  const day = isoTime(live[2]?.run.finishedAt ?? 0).slice(0, 10);
  const compared = `from=${live[3]?.run.id}&to=${live[0]?.run.id}`;
  const { items: dead } = await store.outbox.list(
    { limit: 1, before: undefined },
    { state: 'dead' },
  );
  return {
    ...paths,
    'run-plan': `/runs/${PLAN_RUN}`,
    log: `${paths['run-failed']}/log/1`,
    'log-search': `${paths['run-failed']}/log?q=test`,
    rollback: `/runs/${live[0]?.run.id}/rollback`,
    delivery: `/deliveries/${deliveries[0]?.id}`,
    spec: '/specs/storefront-production',
    'spec-paused': '/specs/infrastructure',
    history: `/specs/storefront-production/history?day=${day}&${compared}`,
    'why-commit': `/why?q=${live[1]?.run.sha}`,
    'why-unknown': '/why?q=0000000',
    try: '/specs/storefront-production/try',
    'try-result': '/specs/storefront-production/try',
    backtest: '/specs/storefront-production/backtest',
    'backtest-result': '/specs/storefront-staging/backtest',
    'history-none': '/specs/mobile-gateway/history',
    deploy: '/specs/storefront-production/deploy',
    hook: '/hooks/registry',
    'hook-made': `/hooks/${MADE_HOOK}`,
    'callbacks-dead': '/callbacks?state=dead',
    callback: `/callbacks/${dead[0]?.id}`,
  };
}
