import * as z from 'zod';
import type { Clock } from '../../lib/clock.ts';
import { isoTime } from '../../lib/clock.ts';
import { toCsv } from '../../lib/csv.ts';
import {
  DAY_MS,
  MOST_RANGE_DAYS,
  type Figures,
  type Percentiles,
  type Range,
} from '../../model/insights.ts';
import { ProblemError } from '../problem.ts';
import type { InsightsView, ReadInsights } from '../read/insights.ts';
import type { Told } from './tell.ts';
import { operation, type Operation } from './route.ts';

const DEFAULT_DAYS = 30;
const DEFINITIONS = 'https://dora.dev/guides/dora-metrics-four-keys/';

const percentiles = z
  .object({ count: z.int(), p50: z.number(), p90: z.number(), p99: z.number() })
  .describe('In seconds, by the nearest rank');
const span = (what: string) =>
  percentiles.nullable().describe(`${what}; null: nothing to tell it from`);

const figures = z.object({
  deployments: z.int().describe('Changes that were brought, whether that went well or not'),
  succeeded: z.int().describe('Those that went live'),
  failed: z.int().describe('Those that failed, and those that a rollback took away again'),
  changeFailureRate: z.number().nullable().describe('Of all deployments, 0 to 1'),
  commitToLive: span('Lead time of a change, from its commit'),
  pushToLive: span('Lead time of a change, from its push'),
  timeToRestore: span('From a failure, or what was rolled back, to the next success'),
  duration: span('How long runs took'),
  queue: span('How long they waited before: in a lane, for gates'),
});

const metrics = figures.extend({
  perDay: z.number().describe('Deployment frequency: live ones in a day'),
  unrestored: z.int().describe('Lanes in which the last thing that ended in the range failed'),
});

const answer = z.object({
  from: z.iso.datetime(),
  to: z.iso.datetime(),
  definitions: z.string().describe('What DORA means by the four metrics'),
  whole: z.boolean().describe('False: the range has more runs than are looked at; the newest are'),
  since: z.iso.datetime().describe('All figures are from then on: `from`, where `whole` holds'),
  all: metrics,
  groups: z.array(metrics.extend({ spec: z.string(), environment: z.string() })),
  days: z.array(z.object({ day: z.iso.date(), succeeded: z.int(), failed: z.int() })),
  bucket: z
    .enum(['day', 'week'])
    .describe('How long a bucket is: a week, from Monday on, above 62 days'),
  buckets: z
    .array(figures.extend({ from: z.iso.datetime(), to: z.iso.datetime() }))
    .describe('What ended when, without gaps; null where nothing did or nothing is known'),
  steps: z
    .array(percentiles.extend({ spec: z.string(), step: z.string() }))
    .describe('How long steps took that succeeded, the slowest first'),
});

const time = z.union([z.iso.date(), z.iso.datetime({ offset: true })]);

const TABLES = ['groups', 'buckets', 'steps'] as const;
const FILES = {
  groups: 'insights.csv',
  buckets: 'insights-over-time.csv',
  steps: 'insights-steps.csv',
};

/** The four metrics of DORA, computed from the runs that are stored. */
export function insightOperations(deps: {
  readInsights: ReadInsights;
  clock: Pick<Clock, 'now'>;
}): Operation[] {
  return [
    operation('get', '/insights', {
      costly: true,
      name: 'getInsights',
      summary: 'Deployment frequency, lead time, change failure rate, time to restore; also as CSV',
      query: z.object({
        from: time.optional().describe('A day or a time; by default 30 days before `to`'),
        to: time.optional().describe('Not in the range itself; by default now'),
        spec: z.string().max(63).optional(),
        environment: z.string().max(200).optional(),
        format: z.enum(['json', 'csv']).optional().describe('By default what is accepted'),
        table: z
          .enum(TABLES)
          .optional()
          .describe('Of CSV: a row for each spec in each environment, each bucket, or each step'),
      }),
      answer,
      alsoAnswers: ['text/csv'],
      async serve({ ctx, viewer, query: { from, to, format, table = 'groups', ...filter } }) {
        const range = rangeOf(from, to, deps.clock.now());
        const { visible } = viewer;
        const view = await deps.readInsights(range, { ...filter, visible });
        const isCsv = (format ?? (ctx.accepts('json', 'csv') === 'csv' ? 'csv' : 'json')) === 'csv';
        if (!isCsv) return toInsights(range, view);
        ctx.type = 'text/csv; charset=utf-8';
        ctx.set('Content-Disposition', `attachment; filename="${FILES[table]}"`);
        ctx.body = toCsv(rowsOf[table](view));
        return undefined;
      },
    }),
  ];
}

type Rows = Parameters<typeof toCsv>[0];

const SHARES = ['p50', 'p90', 'p99'] as const;
const SPANS = ['commitToLive', 'pushToLive', 'timeToRestore', 'duration', 'queue'] as const;
const SPAN_HEADS = SPANS.flatMap((name) => SHARES.map((share) => `${name} ${share}`));

/** Tables of CSV with their heads. Times are in seconds. */
const rowsOf: Record<(typeof TABLES)[number], (view: InsightsView) => Rows> = {
  groups({ groups }) {
    const plain = ['deployments', 'succeeded', 'failed', 'perDay', 'changeFailureRate'] as const;
    return [
      ['spec', 'environment', ...plain, 'unrestored', ...SPAN_HEADS],
      ...groups.map((group) => [
        group.spec,
        group.environment,
        ...plain.map((name) => group[name]),
        group.unrestored,
        ...spansOf(group),
      ]),
    ];
  },
  buckets({ buckets }) {
    const plain = ['deployments', 'succeeded', 'failed', 'changeFailureRate'] as const;
    return [
      ['from', 'to', ...plain, ...SPAN_HEADS],
      ...buckets.map((bucket) => [
        isoTime(bucket.from),
        isoTime(bucket.to),
        ...plain.map((name) => bucket[name]),
        ...spansOf(bucket),
      ]),
    ];
  },
  steps: ({ steps }) => [
    ['spec', 'step', 'count', ...SHARES],
    ...steps.map(({ spec, step, count, ...of }) => [
      spec,
      step,
      count,
      ...SHARES.map((share) => of[share] / 1000),
    ]),
  ],
};

function spansOf(of: Figures): (number | undefined)[] {
  return SPANS.flatMap((name) => SHARES.map((share) => seconds(of[name])?.[share]));
}

function toInsights({ from, to }: Range, view: InsightsView): Told<typeof answer> {
  return {
    from,
    to,
    definitions: DEFINITIONS,
    whole: view.isWhole,
    since: view.range.from,
    all: { ...view.all, ...spansIn(view.all) },
    groups: view.groups.map((group) => ({ ...group, ...spansIn(group) })),
    days: view.days.map(({ at, ...day }) => ({ day: isoTime(at).slice(0, 10), ...day })),
    bucket: view.unit,
    buckets: view.buckets.map((bucket) => ({ ...bucket, ...spansIn(bucket) })),
    steps: view.steps.map(({ spec, step, ...of }) => ({ spec, step, ...inSeconds(of) })),
  };
}

/** In seconds. */
function spansIn(of: Figures): Pick<Figures, (typeof SPANS)[number]> {
  return {
    commitToLive: seconds(of.commitToLive),
    pushToLive: seconds(of.pushToLive),
    timeToRestore: seconds(of.timeToRestore),
    duration: seconds(of.duration),
    queue: seconds(of.queue),
  };
}

function seconds(of: Percentiles | undefined): Percentiles | undefined {
  return of && inSeconds(of);
}

function inSeconds({ count, p50, p90, p99 }: Percentiles): Percentiles {
  return { count, p50: p50 / 1000, p90: p90 / 1000, p99: p99 / 1000 };
}

/** Throws ProblemError 400 for a range that is empty or too long. */
function rangeOf(from: string | undefined, to: string | undefined, now: number): Range {
  const end = to === undefined ? now : Date.parse(to);
  const start = from === undefined ? end - DEFAULT_DAYS * DAY_MS : Date.parse(from);
  if (start < end && end - start <= MOST_RANGE_DAYS * DAY_MS) return { from: start, to: end };
  throw new ProblemError(
    400,
    'invalid-query',
    `from is to be before to, by at most ${MOST_RANGE_DAYS} days`,
  );
}
