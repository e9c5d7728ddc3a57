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
  /** Whether its commit had been live in its lane before, whenever that was. */
  wasLive: boolean;
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
export interface Figures {
  /** Changes that were brought, whether that went well or not. A rollback brings none. */
  deployments: number;
  /** Those that went live. */
  succeeded: number;
  /** Those that failed, and those that a rollback took away again. */
  failed: number;
  /** Of `deployments`, between 0 and 1. */
  changeFailureRate: number | undefined;
  /** From the commit until it was live, the first time. */
  commitToLive: Percentiles | undefined;
  /** From the push until it was live, the first time. */
  pushToLive: Percentiles | undefined;
  /** From a failure, or from what was rolled back, to the next success. */
  timeToRestore: Percentiles | undefined;
  /** How long runs took, and how long they waited before: in a lane, for gates. */
  duration: Percentiles | undefined;
  queue: Percentiles | undefined;
}

/** Of a whole range. */
export interface Metrics extends Figures {
  /** Live deployments in a day. */
  perDay: number;
  /** Failures that nothing has mended within the range. */
  unrestored: number;
}

/** A day of the range in UTC, or a week from Monday on, as far as the range has it: what ended within it. */
export type Bucket = Range & Figures;

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
  /** How long a bucket is. */
  unit: 'day' | 'week';
  /** The range without gaps, oldest first. */
  buckets: Bucket[];
}

type Time = 'committedAt' | 'pushedAt' | 'createdAt' | 'startedAt' | 'finishedAt';

interface Change {
  run: EndedRun;
  isFailed: boolean;
}

/** A failure that was mended. */
interface Restore {
  /** When. */
  finishedAt: number;
  /** Milliseconds since the failure. */
  took: number;
}

/** What happened in one lane or in several, in a range or in a bucket of it. */
interface Past {
  runs: EndedRun[];
  changes: Change[];
  /** Runs that brought a commit live for the first time. */
  leads: EndedRun[];
  restores: Restore[];
}

interface Story extends Past {
  unrestored: number;
}

export const DAY_MS = 86_400_000;
/** The longest range that may be asked for. */
export const MOST_RANGE_DAYS = 366;
/** Days that are a bucket each; of a longer range each week is one. */
const MOST_DAY_BUCKETS = 62;
/** The epoch began on a Thursday. */
const FIRST_MONDAY = 4 * DAY_MS;

/**
 * The metrics of the runs that ended within the range, of all and of each spec in each environment. Runs that ended before it are
 * not counted: they tell what was live and what had failed at its beginning. Pure.
 */
export function insightsOf(runs: readonly EndedRun[], range: Range): Insights {
  const ended = runs
    .filter(({ finishedAt }) => finishedAt < range.to)
    .sort((a, b) => a.finishedAt - b.finishedAt);
  const lanes = groupBy(ended, ({ spec, environment, lane }) => [spec, environment, lane]);
  const stories = lanes
    .map((lane) => storyOf(lane, range.from))
    .filter((story) => story.runs.length > 0);
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
    ...bucketsOf(together(stories), range),
  };
}

/** Undefined for no values. Pure. */
export function percentilesOf(values: readonly number[]): Percentiles | undefined {
  if (values.length === 0) return undefined;
  const sorted = Float64Array.from(values).sort();
  const at = (share: number) => sorted[Math.ceil(share * sorted.length) - 1] ?? 0;
  return { count: sorted.length, p50: at(0.5), p90: at(0.9), p99: at(0.99) };
}

/** Of one lane's runs, in the order in which they ended: those from `from` on are told of. */
function storyOf(runs: readonly EndedRun[], from: number): Story {
  const story: Story = { runs: [], changes: [], leads: [], restores: [], unrestored: 0 };
  const seen = new Set<string>();
  let live: Change | undefined;
  let brokenSince: number | undefined;
  for (const run of runs) {
    const isWithin = run.finishedAt >= from;
    const isRollback = run.cause === 'rollback';
    const change = { run, isFailed: run.state === 'failed' };
    if (isWithin) story.runs.push(run);
    if (isWithin && !isRollback) story.changes.push(change);
    if (run.state === 'failed') {
      brokenSince ??= run.finishedAt;
      continue;
    }
    if (isRollback && brokenSince === undefined && live !== undefined && live.run.sha !== run.sha) {
      live.isFailed = true;
      brokenSince = live.run.finishedAt;
    }
    if (isWithin && brokenSince !== undefined) {
      story.restores.push({ finishedAt: run.finishedAt, took: run.finishedAt - brokenSince });
    }
    brokenSince = undefined;
    live = isRollback ? undefined : change;
    const isFirst = !run.wasLive && !seen.has(run.sha);
    if (isWithin && !isRollback && isFirst) story.leads.push(run);
    seen.add(run.sha);
  }
  if (brokenSince !== undefined) story.unrestored = 1;
  return story;
}

function metricsOf(stories: readonly Story[], { from, to }: Range): Metrics {
  const figures = figuresOf(together(stories));
  return {
    ...figures,
    perDay: figures.succeeded / Math.max(1, (to - from) / DAY_MS),
    unrestored: stories.reduce((sum, one) => sum + one.unrestored, 0),
  };
}

function together(stories: readonly Story[]): Past {
  return {
    runs: stories.flatMap(({ runs }) => runs),
    changes: stories.flatMap(({ changes }) => changes),
    leads: stories.flatMap(({ leads }) => leads),
    restores: stories.flatMap(({ restores }) => restores),
  };
}

function figuresOf({ runs, changes, leads, restores }: Past): Figures {
  const failed = changes.filter(({ isFailed }) => isFailed).length;
  return {
    deployments: changes.length,
    succeeded: changes.filter(({ run }) => run.state === 'succeeded').length,
    failed,
    changeFailureRate: changes.length === 0 ? undefined : failed / changes.length,
    commitToLive: spans(leads, 'committedAt', 'finishedAt'),
    pushToLive: spans(leads, 'pushedAt', 'finishedAt'),
    timeToRestore: percentilesOf(restores.map(({ took }) => took)),
    duration: spans(runs, 'startedAt', 'finishedAt'),
    queue: spans(runs, 'createdAt', 'startedAt'),
  };
}

/** A deployment counts where it ended, also when it was rolled back later; a restore where it was done. */
function bucketsOf(past: Past, range: Range): Pick<Insights, 'unit' | 'buckets'> {
  const isLong = range.to - dayOf(range.from) > MOST_DAY_BUCKETS * DAY_MS;
  const length = isLong ? 7 * DAY_MS : DAY_MS;
  const first = isLong ? weekOf(range.from) : dayOf(range.from);
  const place = (at: number) => Math.floor((at - first) / length);
  const runs = Map.groupBy(past.runs, ({ finishedAt }) => place(finishedAt));
  const changes = Map.groupBy(past.changes, ({ run }) => place(run.finishedAt));
  const leads = Map.groupBy(past.leads, ({ finishedAt }) => place(finishedAt));
  const restores = Map.groupBy(past.restores, ({ finishedAt }) => place(finishedAt));
  const buckets: Bucket[] = [];
  for (let from = first; from < range.to; from += length) {
    const at = buckets.length;
    buckets.push({
      from: Math.max(range.from, from),
      to: Math.min(range.to, from + length),
      ...figuresOf({
        runs: runs.get(at) ?? [],
        changes: changes.get(at) ?? [],
        leads: leads.get(at) ?? [],
        restores: restores.get(at) ?? [],
      }),
    });
  }
  return { unit: isLong ? 'week' : 'day', buckets };
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

/** The Monday of its week. */
function weekOf(at: number): number {
  return Math.floor((at - FIRST_MONDAY) / (7 * DAY_MS)) * 7 * DAY_MS + FIRST_MONDAY;
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
