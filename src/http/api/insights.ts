import { z } from 'zod';
import type { Clock } from '../../lib/clock.ts';
import { isoTime } from '../../lib/clock.ts';
import { toCsv } from '../../lib/csv.ts';
import { DAY_MS, type Metrics, type Percentiles, type Range } from '../../model/insights.ts';
import { viewerOf } from '../auth/viewer.ts';
import { ProblemError } from '../problem.ts';
import type { InsightsView, ReadInsights } from '../read/insights.ts';
import { operation, type Operation } from './route.ts';

const DEFAULT_DAYS = 30;
const MOST_DAYS = 366;
const DEFINITIONS = 'https://dora.dev/guides/dora-metrics-four-keys/';

const percentiles = z
  .object({ count: z.int(), p50: z.number(), p90: z.number(), p99: z.number() })
  .describe('In seconds, by the nearest rank');
const span = (what: string) =>
  percentiles.nullable().describe(`${what}; null: nothing to tell it from`);

const metrics = z.object({
  deployments: z.int().describe('Changes that were brought, whether that went well or not'),
  succeeded: z.int().describe('Those that went live'),
  failed: z.int().describe('Those that failed, and those that a rollback took away again'),
  perDay: z.number().describe('Deployment frequency: live ones in a day'),
  changeFailureRate: z.number().nullable().describe('Of all deployments, 0 to 1'),
  commitToLive: span('Lead time of a change, from its commit'),
  pushToLive: span('Lead time of a change, from its push'),
  timeToRestore: span('From a failure, or what was rolled back, to the next success'),
  unrestored: z.int().describe('Lanes in which the last thing that ended in the range failed'),
  duration: span('How long runs took'),
  queue: span('How long they waited before: in a lane, for gates'),
});

const answer = z.object({
  from: z.iso.datetime(),
  to: z.iso.datetime(),
  definitions: z.string().describe('What DORA means by the four metrics'),
  whole: z.boolean().describe('False: the range has more runs than are looked at; the newest are'),
  all: metrics,
  groups: z.array(metrics.extend({ spec: z.string(), environment: z.string() })),
  days: z.array(z.object({ day: z.iso.date(), succeeded: z.int(), failed: z.int() })),
  steps: z
    .array(percentiles.extend({ spec: z.string(), step: z.string() }))
    .describe('How long steps took that succeeded, the slowest first'),
});

const time = z.union([z.iso.date(), z.iso.datetime({ offset: true })]);

/** The four metrics of DORA, computed from the runs that are stored. */
export function insightOperations(deps: {
  readInsights: ReadInsights;
  clock: Pick<Clock, 'now'>;
}): Operation[] {
  return [
    operation({
      method: 'get',
      path: '/insights',
      name: 'getInsights',
      summary: 'Deployment frequency, lead time, change failure rate, time to restore; also as CSV',
      query: z.object({
        from: time.optional().describe('A day or a time; by default 30 days before `to`'),
        to: time.optional().describe('Not in the range itself; by default now'),
        spec: z.string().max(63).optional(),
        environment: z.string().max(200).optional(),
        format: z.enum(['json', 'csv']).optional().describe('By default what is accepted'),
      }),
      answer,
      alsoAnswers: ['text/csv'],
      async serve(ctx, { query: { from, to, format, ...filter } }) {
        const range = rangeOf(from, to, deps.clock.now());
        const { visible } = viewerOf(ctx);
        const view = await deps.readInsights(range, { ...filter, visible });
        const isCsv = (format ?? (ctx.accepts('json', 'csv') === 'csv' ? 'csv' : 'json')) === 'csv';
        if (!isCsv) return toInsights(range, view);
        ctx.type = 'text/csv; charset=utf-8';
        ctx.set('Content-Disposition', 'attachment; filename="insights.csv"');
        ctx.body = insightsCsv(view);
        return undefined;
      },
    }),
  ];
}

/** One row for each spec in each environment; times in seconds. */
function insightsCsv({ groups }: InsightsView): string {
  const plain = ['deployments', 'succeeded', 'failed', 'perDay', 'changeFailureRate'] as const;
  const shares = ['p50', 'p90', 'p99'] as const;
  return toCsv([
    [
      'spec',
      'environment',
      ...plain,
      'unrestored',
      ...SPANS.flatMap((name) => shares.map((share) => `${name} ${share}`)),
    ],
    ...groups.map((group) => [
      group.spec,
      group.environment,
      ...plain.map((name) => group[name]),
      group.unrestored,
      ...SPANS.flatMap((name) => shares.map((share) => seconds(group[name])?.[share])),
    ]),
  ]);
}

const SPANS = ['commitToLive', 'pushToLive', 'timeToRestore', 'duration', 'queue'] as const;

function toInsights({ from, to }: Range, view: InsightsView): z.input<typeof answer> {
  return {
    from: isoTime(from),
    to: isoTime(to),
    definitions: DEFINITIONS,
    whole: view.isWhole,
    all: toMetrics(view.all),
    groups: view.groups.map((group) => ({
      spec: group.spec,
      environment: group.environment,
      ...toMetrics(group),
    })),
    days: view.days.map(({ at, ...day }) => ({ day: isoTime(at).slice(0, 10), ...day })),
    steps: view.steps.map(({ spec, step, ...of }) => ({ spec, step, ...inSeconds(of) })),
  };
}

function toMetrics(of: Metrics): z.input<typeof metrics> {
  return {
    deployments: of.deployments,
    succeeded: of.succeeded,
    failed: of.failed,
    perDay: of.perDay,
    changeFailureRate: of.changeFailureRate ?? null,
    commitToLive: seconds(of.commitToLive) ?? null,
    pushToLive: seconds(of.pushToLive) ?? null,
    timeToRestore: seconds(of.timeToRestore) ?? null,
    unrestored: of.unrestored,
    duration: seconds(of.duration) ?? null,
    queue: seconds(of.queue) ?? null,
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
  if (start < end && end - start <= MOST_DAYS * DAY_MS) return { from: start, to: end };
  throw new ProblemError(
    400,
    'invalid-query',
    `from is to be before to, by at most ${MOST_DAYS} days`,
  );
}
