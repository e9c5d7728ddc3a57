import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { Broadcast } from '../lib/broadcast.ts';
import { RUN_ENDS, type Run } from '../model/run.ts';
import type { Catalog } from '../spec/catalog.ts';
import type { Store } from '../store/index.ts';

const LABELS = ['spec', 'repository'] as const;
/** What the labels say of a run whose spec is not loaded (any more); no spec is called so. */
const NOT_LOADED = { spec: '', repository: '' };

/** In seconds, and few: each is one more series for every spec. */
const DURATIONS = [10, 60, 300, 900, 3600];
const WAITS = [10, 60, 300, 1800];

/**
 * What became of runs, by spec. Every loaded spec has its series from the start, because an increase from nothing is none; those
 * of a spec that is loaded no more are removed. `ended` tells of each run that this process has ended.
 */
export function runMetrics(
  deps: { store: Store; catalog: Catalog; ended: Pick<Broadcast<Run>, 'subscribe'> },
  registers: Registry[],
): void {
  const { store, catalog } = deps;
  const ends = new Counter({
    name: 'mainsheet_runs_ended_total',
    help: 'Runs that this process has ended, by how and by spec',
    labelNames: ['state', ...LABELS],
    registers,
    collect: follow,
  });
  const durations = new Histogram({
    name: 'mainsheet_run_duration_seconds',
    help: 'From the start of a run to its end',
    labelNames: LABELS,
    buckets: DURATIONS,
    registers,
    collect: follow,
  });
  const waits = new Histogram({
    name: 'mainsheet_run_queue_seconds',
    help: 'From the making of a run to its start',
    labelNames: LABELS,
    buckets: WAITS,
    registers,
    collect: follow,
  });
  // oxlint-disable-next-line no-new -- a gauge registers itself
  new Gauge({
    name: 'mainsheet_last_success_timestamp_seconds',
    help: 'When a run of the spec last succeeded, on any replica',
    labelNames: LABELS,
    registers,
    async collect() {
      this.reset();
      const latest = new Map<string, number>();
      for (const { spec, deployedAt } of await store.environments.list().catch(() => [])) {
        latest.set(spec, Math.max(latest.get(spec) ?? 0, deployedAt));
      }
      for (const labels of labelsOfLoaded(catalog)) {
        const at = latest.get(labels.spec);
        if (at !== undefined) this.set(labels, at / 1000);
      }
    },
  });

  /** By spec. */
  let loaded: ReadonlyMap<string, SpecLabels> = new Map();
  let seen: unknown;
  begin(NOT_LOADED);

  /** Makes the series those of the specs that are loaded now. */
  function follow(): void {
    const { specs } = catalog.current();
    if (specs === seen) return;
    seen = specs;
    const next = new Map(labelsOfLoaded(catalog).map((labels) => [labels.spec, labels]));
    for (const labels of without(loaded, next)) {
      for (const state of RUN_ENDS) ends.remove({ state, ...labels });
      durations.remove({ ...labels });
      waits.remove({ ...labels });
    }
    for (const labels of without(next, loaded)) begin(labels);
    loaded = next;
  }

  function begin(labels: SpecLabels): void {
    for (const state of RUN_ENDS) ends.inc({ state, ...labels }, 0);
    durations.zero({ ...labels });
    waits.zero({ ...labels });
  }

  deps.ended.subscribe(({ spec, state, createdAt, startedAt, finishedAt }) => {
    follow();
    const labels = loaded.get(spec) ?? NOT_LOADED;
    ends.inc({ state, ...labels });
    if (startedAt === undefined || finishedAt === undefined) return;
    waits.observe({ ...labels }, (startedAt - createdAt) / 1000);
    durations.observe({ ...labels }, (finishedAt - startedAt) / 1000);
  });
}

interface SpecLabels {
  spec: string;
  repository: string;
}

function labelsOfLoaded(catalog: Catalog): SpecLabels[] {
  return catalog.current().specs.map(({ spec: { name, repository } }) => ({
    spec: name,
    repository,
  }));
}

function without(
  some: ReadonlyMap<string, SpecLabels>,
  others: ReadonlyMap<string, SpecLabels>,
): SpecLabels[] {
  return [...some.values()].filter(
    ({ spec, repository }) => others.get(spec)?.repository !== repository,
  );
}
