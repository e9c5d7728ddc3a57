import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client';
import type { Broadcast } from '../lib/broadcast.ts';
import type { BudgetUsage } from '../github/budget.ts';
import type { News } from '../model/news.ts';
import type { Run } from '../model/run.ts';
import type { Catalog } from '../spec/catalog.ts';
import type { Store } from '../store/index.ts';
import { budgetMetrics } from './budget-metrics.ts';
import { runMetrics } from './run-metrics.ts';

/** How often is looked how late the event loop is. Every 10 ms, which is the default, takes most of what an idle server takes. */
const LAG_EVERY_MS = 100;

/** What Prometheus is told. Label values come from fixed sets or from verified deliveries, so their number is bounded. */
export interface Metrics {
  registry: Registry;
  deliveries: Counter<'event' | 'result'>;
  rejected: Counter<'code'>;
}

/**
 * Gauges of what is open are read from the store when they are asked for, so they are right whatever process did the work, and from
 * indexes that hold only what is open. What ended is counted as it happens, since a store with a million ended runs should not
 * be gone through for a scrape. Without the store its gauges have no values, and `mainsheet_store_up` says why.
 */
export function createMetrics(deps: {
  store: Store;
  catalog: Catalog;
  news: Broadcast<News>;
  /** Each run that this process has ended. */
  ended: Pick<Broadcast<Run>, 'subscribe'>;
  budget: () => BudgetUsage[];
}): Metrics {
  const { store } = deps;
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: LAG_EVERY_MS });
  storeGauges(store, registers);
  budgetMetrics(deps.budget, registers);
  runMetrics(deps, registers);
  countCallbacks(deps.news, registers);
  const deliveries = new Counter<'event' | 'result'>({
    name: 'mainsheet_deliveries_total',
    help: 'Verified deliveries, by event and whether they were new',
    labelNames: ['event', 'result'],
    registers,
  });
  const rejected = new Counter<'code'>({
    name: 'mainsheet_webhook_rejected_total',
    help: 'Webhook requests that were refused, by reason',
    labelNames: ['code'],
    registers,
  });
  // An increase from nothing is none: what may raise an alert has a value from the start.
  for (const event of DEPLOYING) {
    for (const result of ['accepted', 'duplicate']) deliveries.inc({ event, result }, 0);
  }
  for (const code of REFUSALS) rejected.inc({ code }, 0);
  return { registry, deliveries, rejected };
}

const DEPLOYING = ['push', 'release', 'workflow_run'];
const REFUSALS = ['bad-signature', 'body-too-large', 'too-many-bodies', 'not-stored', 'internal'];

function storeGauges(store: Store, registers: Registry[]): void {
  gaugeOf('mainsheet_store_up', 'Whether the database answers', registers, async (gauge) => {
    const up = await store.ping().then(
      () => 1,
      () => 0,
    );
    gauge.set(up);
  });
  gaugeOf(
    'mainsheet_deliveries_pending',
    'Deliveries stored and not yet processed',
    registers,
    async (gauge) => gauge.set(await store.inbox.countPending()),
  );
  gaugeOf('mainsheet_runs', 'Runs that have not ended, by state', registers, async (gauge) =>
    setAll(gauge, await store.runs.countOpen()),
  );
  gaugeOf(
    'mainsheet_outbox',
    'Callbacks that wait or were given up, by state',
    registers,
    async (gauge) => setAll(gauge, await store.outbox.countOpen()),
  );
  const countPaused = async (kind: string) =>
    (await store.pauses.list()).filter((pause) => pause.kind === kind).length;
  gaugeOf('mainsheet_paused_specs', 'Deployment specs that are paused', registers, async (gauge) =>
    gauge.set(await countPaused('spec')),
  );
  gaugeOf('mainsheet_paused_lanes', 'Lanes that are paused', registers, async (gauge) =>
    gauge.set(await countPaused('lane')),
  );
}

/** A gauge that has no value at all while `fill` throws: what is wrong with the store is for /readyz to say. */
function gaugeOf(
  name: string,
  help: string,
  registers: Registry[],
  fill: (gauge: Gauge<'state'>) => Promise<void>,
): void {
  // oxlint-disable-next-line no-new -- a gauge registers itself
  new Gauge<'state'>({
    name,
    help,
    // A gauge without labels would say 0 where it knows nothing.
    labelNames: ['state'],
    registers,
    async collect() {
      this.reset();
      await fill(this).catch(() => this.reset());
    },
  });
}

function setAll(gauge: Gauge<'state'>, counts: Partial<Record<string, number>>): void {
  for (const [state, value] of Object.entries(counts)) gauge.set({ state }, value ?? 0);
}

function countCallbacks(news: Broadcast<News>, registers: Registry[]): void {
  const callbacks = new Counter({
    name: 'mainsheet_callbacks_total',
    help: 'Callbacks that this process has dealt with, by how',
    labelNames: ['state'],
    registers,
  });
  for (const state of ['sent', 'obsolete', 'dead']) callbacks.inc({ state }, 0);
  news.subscribe((item) => {
    if (item.kind === 'callback') callbacks.inc({ state: item.state });
  });
}
