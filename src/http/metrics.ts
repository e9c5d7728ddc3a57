import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client';
import type { Store } from '../store/index.ts';

/** What Prometheus is told. Label values come from fixed sets or from verified deliveries, so their number is bounded. */
export interface Metrics {
  registry: Registry;
  deliveries: Counter<'event' | 'result'>;
  rejected: Counter<'code'>;
}

/** Gauges are read from the store when they are asked for, so they are right whatever process did the work. */
export function createMetrics(store: Store): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  // oxlint-disable-next-line no-new -- a gauge registers itself
  new Gauge({
    name: 'mainsheet_deliveries_pending',
    help: 'Deliveries stored and not yet processed',
    registers,
    async collect() {
      this.set(await store.inbox.countPending());
    },
  });
  stateGauge('mainsheet_runs', 'Runs by state', registers, () => store.runs.countByState());
  stateGauge('mainsheet_outbox', 'Callbacks by state', registers, () =>
    store.outbox.countByState(),
  );
  return {
    registry,
    deliveries: new Counter({
      name: 'mainsheet_deliveries_total',
      help: 'Verified deliveries, by event and whether they were new',
      labelNames: ['event', 'result'],
      registers,
    }),
    rejected: new Counter({
      name: 'mainsheet_webhook_rejected_total',
      help: 'Webhook requests that were refused, by reason',
      labelNames: ['code'],
      registers,
    }),
  };
}

function stateGauge(
  name: string,
  help: string,
  registers: Registry[],
  count: () => Promise<Partial<Record<string, number>>>,
): void {
  // oxlint-disable-next-line no-new -- a gauge registers itself
  new Gauge({
    name,
    help,
    labelNames: ['state'],
    registers,
    async collect() {
      this.reset();
      for (const [state, value] of Object.entries(await count())) this.set({ state }, value ?? 0);
    },
  });
}
