import * as z from 'zod';
import { found } from '../guard.ts';
import { dayOf } from '../read/day.ts';
import { readHistory, type Change, type Comparison, type HistoryDeps } from '../read/history.ts';
import { webPagesOf, type WebServers } from '../read/web-pages.ts';
import { runSchema } from './resources.ts';
import type { Told } from './tell.ts';
import { listOf, operation, pageQuery, toPageRequest, type Operation } from './route.ts';

const time = z.iso.datetime();

const changeSchema = z
  .object({
    run: z.string(),
    sha: z.string(),
    ref: z.string(),
    title: z.string().nullable().describe('The first line of its message, where it is known'),
    cause: runSchema.shape.cause,
    event: runSchema.shape.event.describe('`teardown`: it took away what was there'),
    by: z.string().nullable().describe('Who asked for it by hand, else who wrote the commit'),
    reason: z.string().nullable().describe('Why it was rolled back to'),
    from: time.describe('When it came'),
    until: time.nullable().describe('When the next one came; null: it is what is there'),
  })
  .meta({ id: 'Change' });

/** What was deployed in an environment, and when. */
export function historyOperations(deps: HistoryDeps & WebServers): Operation[] {
  return [
    operation('get', '/environments/{spec}/history', {
      name: 'getHistory',
      summary: 'The revisions that a spec had deployed, newest first; what was there at a time',
      query: pageQuery.extend({
        lane: z.string().max(300).optional().describe('Default: that of the spec'),
        at: z
          .union([z.iso.date(), z.iso.datetime({ offset: true })])
          .optional()
          .describe('A time, or a day in UTC'),
        from: z.string().max(100).optional().describe('With `to`: a run to compare'),
        to: z.string().max(100).optional().describe('With `from`: the other one'),
      }),
      answer: listOf(changeSchema).extend({
        spec: z.string(),
        repository: z.string(),
        lane: z.string(),
        lanes: z.array(z.string()).describe('Where it has something, the usual one first'),
        period: z
          .object({
            from: time,
            to: time,
            begin: changeSchema.nullable().describe('What was there at its begin'),
            end: changeSchema.nullable().describe('And at its end'),
            changes: z.array(changeSchema).describe('What came in it: the newest 200'),
          })
          .nullable()
          .describe('What was asked for with `at`'),
        comparison: z
          .object({
            older: changeSchema,
            newer: changeSchema,
            url: z.string().nullable().describe('Where the server shows what changed'),
            runs: z
              .array(runSchema)
              .describe('After the older one, up to the newer one: the newest 200'),
          })
          .nullable()
          .describe('Null where one of the two has deployed nothing there'),
      }),
      async serve({ viewer, id, query }) {
        const { lane, at, from, to } = query;
        const history = await readHistory(deps, viewer, id, {
          lane,
          page: toPageRequest(query),
          period: at === undefined ? undefined : timeOf(at),
          compared: from === undefined || to === undefined ? undefined : [from, to],
        });
        const { changes, period, comparison, ...named } = found(history, 'spec', id);
        return {
          ...named,
          items: changes.items.map(toChange),
          next: changes.next,
          period: period && {
            ...period,
            begin: period.begin && toChange(period.begin),
            end: period.end && toChange(period.end),
            changes: period.changes.map(toChange),
          },
          comparison: comparison && {
            older: toChange(comparison.older),
            newer: toChange(comparison.newer),
            url: urlOf(comparison, deps),
            runs: comparison.runs,
          },
        };
      },
    }),
  ];
}

function timeOf(at: string): { from: number; to: number } {
  return dayOf(at) ?? { from: Date.parse(at), to: Date.parse(at) };
}

function urlOf({ older, newer }: Comparison, at: WebServers): string | undefined {
  return webPagesOf(newer.run.repository, at)?.compare(older.run.sha, newer.run.sha);
}

function toChange({ run, commit, ...change }: Change): Told<typeof changeSchema> {
  const { id, sha, ref, cause, event } = run;
  return { ...change, run: id, sha, ref, title: commit?.title, cause, event };
}
