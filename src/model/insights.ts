import type { RunCause } from './run.ts';

/** A run that has ended by itself: what was cancelled or superseded deployed nothing. Times are milliseconds since the epoch. */
export interface EndedRun {
  id: string;
  spec: string;
  environment: string;
  lane: string;
  cause: RunCause;
  state: 'succeeded' | 'failed';
  sha: string;
  createdAt: number;
  startedAt: number | undefined;
  finishedAt: number;
  /** When the push that it deploys came; undefined: no push made it. */
  pushedAt: number | undefined;
  /** When its commit was made, where its push tells. */
  committedAt: number | undefined;
}

/** The range that is looked at: `to` is not in it. Milliseconds since the epoch. */
export interface Range {
  from: number;
  to: number;
}

/** By the nearest rank, in milliseconds. */
export interface Percentiles {
  count: number;
  p50: number;
  p90: number;
  p99: number;
}

/** What DORA asks of a team: https://dora.dev/guides/dora-metrics-four-keys/. Undefined: there is nothing to tell it from. */
export interface Metrics {
  /** Changes that were brought, whether that went well or not. A rollback brings none. */
  deployments: number;
  /** Those that went live. */
  succeeded: number;
  /** Those that failed, and those that a rollback took away again. */
  failed: number;
  /** Live deployments in a day. */
  perDay: number;
  /** Of `deployments`, between 0 and 1. */
  changeFailureRate: number | undefined;
  /** From the commit until it was live, the first time. */
  commitToLive: Percentiles | undefined;
  /** From the push until it was live, the first time. */
  pushToLive: Percentiles | undefined;
  /** From a failure, or from what was rolled back, to the next success. */
  timeToRestore: Percentiles | undefined;
  /** Failures that nothing has mended within the range. */
  unrestored: number;
  /** How long runs took, and how long they waited before: in a lane, for gates. */
  duration: Percentiles | undefined;
  queue: Percentiles | undefined;
}

export interface Day {
  /** Its beginning, in UTC. */
  at: number;
  succeeded: number;
  failed: number;
}

export interface Insights {
  all: Metrics;
  groups: ({ spec: string; environment: string } & Metrics)[];
  /** Each day of the range. A deployment that was rolled back is one that failed. */
  days: Day[];
}

type Time = 'committedAt' | 'pushedAt' | 'createdAt' | 'startedAt' | 'finishedAt';

interface Change {
  run: EndedRun;
  isFailed: boolean;
}

/** What happened in one lane, or in several. */
interface Story {
  runs: EndedRun[];
  changes: Change[];
  leads: EndedRun[];
  restores: number[];
  unrestored: number;
}

export const DAY_MS = 86_400_000;

/** The metrics of the runs that ended within the range, of all and of each spec in each environment. Pure. */
export function insightsOf(runs: readonly EndedRun[], range: Range): Insights {
  const within = runs
    .filter(({ finishedAt }) => finishedAt >= range.from && finishedAt < range.to)
    .sort((a, b) => a.finishedAt - b.finishedAt);
  const lanes = groupBy(within, ({ spec, environment, lane }) => [spec, environment, lane]);
  const stories = lanes.map(storyOf);
  const groups = groupBy(stories, ({ runs: [run] }) => [run?.spec, run?.environment]);
  return {
    all: metricsOf(stories, range),
    groups: groups
      .map((of) => {
        const { spec = '', environment = '' } = of[0]?.runs[0] ?? {};
        return { spec, environment, ...metricsOf(of, range) };
      })
      .sort((a, b) => compare(a.spec, b.spec) || compare(a.environment, b.environment)),
    days: daysOf(stories, range),
  };
}

/** Undefined for no values. Pure. */
export function percentilesOf(values: readonly number[]): Percentiles | undefined {
  if (values.length === 0) return undefined;
  const sorted = Float64Array.from(values).sort();
  const at = (share: number) => sorted[Math.ceil(share * sorted.length) - 1] ?? 0;
  return { count: sorted.length, p50: at(0.5), p90: at(0.9), p99: at(0.99) };
}

/** Of one lane's runs, in the order in which they ended. */
function storyOf(runs: EndedRun[]): Story {
  const story: Story = { runs, changes: [], leads: [], restores: [], unrestored: 0 };
  const seen = new Set<string>();
  let live: Change | undefined;
  let brokenSince: number | undefined;
  for (const run of runs) {
    const isRollback = run.cause === 'rollback';
    const change = { run, isFailed: run.state === 'failed' };
    if (!isRollback) story.changes.push(change);
    if (run.state === 'failed') {
      brokenSince ??= run.finishedAt;
      continue;
    }
    if (isRollback && brokenSince === undefined && live !== undefined && live.run.sha !== run.sha) {
      live.isFailed = true;
      brokenSince = live.run.finishedAt;
    }
    if (brokenSince !== undefined) story.restores.push(run.finishedAt - brokenSince);
    brokenSince = undefined;
    live = isRollback ? undefined : change;
    if (!isRollback && !seen.has(run.sha)) story.leads.push(run);
    seen.add(run.sha);
  }
  if (brokenSince !== undefined) story.unrestored = 1;
  return story;
}

function metricsOf(stories: readonly Story[], { from, to }: Range): Metrics {
  const runs = stories.flatMap((story) => story.runs);
  const changes = stories.flatMap((story) => story.changes);
  const leads = stories.flatMap((story) => story.leads);
  const failed = changes.filter(({ isFailed }) => isFailed).length;
  const succeeded = changes.filter(({ run }) => run.state === 'succeeded').length;
  return {
    deployments: changes.length,
    succeeded,
    failed,
    perDay: succeeded / Math.max(1, (to - from) / DAY_MS),
    changeFailureRate: changes.length === 0 ? undefined : failed / changes.length,
    commitToLive: spans(leads, 'committedAt', 'finishedAt'),
    pushToLive: spans(leads, 'pushedAt', 'finishedAt'),
    timeToRestore: percentilesOf(stories.flatMap(({ restores }) => restores)),
    unrestored: stories.reduce((sum, one) => sum + one.unrestored, 0),
    duration: spans(runs, 'startedAt', 'finishedAt'),
    queue: spans(runs, 'createdAt', 'startedAt'),
  };
}

/** A span whose beginning or end is not known is left out, and one that ends before it begins: clocks differ. */
function spans(runs: readonly EndedRun[], from: Time, to: Time): Percentiles | undefined {
  const lengths: number[] = [];
  for (const { [from]: start, [to]: end } of runs) {
    if (start !== undefined && end !== undefined && end >= start) lengths.push(end - start);
  }
  return percentilesOf(lengths);
}

function daysOf(stories: readonly Story[], { from, to }: Range): Day[] {
  const days = new Map<number, Day>();
  for (let at = dayOf(from); at < to; at += DAY_MS) days.set(at, { at, succeeded: 0, failed: 0 });
  for (const { run, isFailed } of stories.flatMap(({ changes }) => changes)) {
    const day = days.get(dayOf(run.finishedAt));
    if (day !== undefined) day[isFailed ? 'failed' : 'succeeded'] += 1;
  }
  return [...days.values()];
}

function dayOf(at: number): number {
  return Math.floor(at / DAY_MS) * DAY_MS;
}

/** No name has the character that stands between them here. */
function groupBy<Item>(
  items: readonly Item[],
  keyOf: (item: Item) => (string | undefined)[],
): Item[][] {
  return [...Map.groupBy(items, (item) => keyOf(item).join('\0')).values()];
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
