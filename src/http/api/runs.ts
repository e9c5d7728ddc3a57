import * as z from 'zod';
import type { Broadcast } from '../../lib/broadcast.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Deploy } from '../../controller/operator/deploy.ts';
import type { Gates } from '../../controller/operator/gates.ts';
import type { RolledBack } from '../../controller/operator/after-rollback.ts';
import type { Operate } from '../../controller/operator/operate.ts';
import type { News } from '../../model/news.ts';
import { RUN_STATES } from '../../model/run.ts';
import type { Catalog } from '../../spec/catalog.ts';
import type { Store } from '../../store/index.ts';
import type { Viewer } from '../auth/viewer.ts';
import { seenPause } from '../read/held.ts';
import { readChain } from '../read/run.ts';
import type { Guard } from '../guard.ts';
import { logText, streamLog } from './log.ts';
import { pauseSchema, runDetailSchema, runSchema, toRunDetail } from './resources.ts';
import { listOf, operation, pageQuery, toPageRequest, type Operation } from './route.ts';

const rollbackQuery = z.object({
  to: z.string().max(100).optional().describe('A run that succeeded'),
  resume: z
    .stringbool()
    .default(false)
    .describe('Whether the next commit is deployed, whatever the spec says'),
  reason: z.string().max(1000).default('').describe('Why, for people; GitHub shows it'),
});

/** `paused`: what keeps the lane as it is after the rollback. */
const rolledBackSchema = runSchema.extend({ paused: pauseSchema.nullable() });

/** Runs: what is deployed, how it went, and what may be done about it. */
export function runOperations(deps: {
  store: Store;
  catalog: Pick<Catalog, 'current'>;
  operate: Operate;
  gates: Pick<Gates, 'view'>;
  deploy: Deploy;
  news: Broadcast<News>;
  clock: Pick<Clock, 'elapsed'>;
  guard: Pick<Guard, 'run' | 'allow'>;
}): Operation[] {
  const { store, operate, news, guard } = deps;

  async function toRolledBack(viewer: Viewer, { run, pause }: RolledBack) {
    const seen = pause && (await seenPause(deps, viewer, pause));
    return { ...run, paused: seen };
  }

  /** Of what is rolled back, and of what is then deployed. */
  async function mayRollBack(
    viewer: Viewer,
    target: { kind: 'spec' | 'run'; name: string },
    to: string | undefined,
  ): Promise<string> {
    const actor = await guard.allow(viewer, 'rollback', target);
    if (to !== undefined) await guard.allow(viewer, 'rollback', { kind: 'run', name: to });
    return actor;
  }

  const action = (name: 'cancel' | 'retry', summary: string, status: number): Operation =>
    operation('post', `/runs/{id}/${name}`, {
      name: `${name}Run`,
      summary,
      status,
      answer: runSchema,
      async serve({ viewer, id }) {
        const actor = await guard.allow(viewer, name, { kind: 'run', name: id });
        return await operate[name](id, actor);
      },
    });

  return [
    operation('get', '/runs', {
      name: 'listRuns',
      summary: 'Runs, newest first',
      query: pageQuery.extend({
        spec: z.string().max(63).optional(),
        repository: z.string().max(200).optional(),
        state: z.enum(RUN_STATES).optional(),
        lane: z.string().max(200).optional(),
        delivery: z.string().max(100).optional(),
        sha: z.string().max(64).optional(),
      }),
      answer: listOf(runSchema),
      async serve({ viewer, query: { limit, cursor, ...filter } }) {
        const page = toPageRequest({ limit, cursor });
        return await store.runs.list(page, { ...filter, visible: viewer.visible });
      },
    }),
    operation('get', '/runs/{id}', {
      name: 'getRun',
      summary: 'A run with its steps and its callbacks',
      answer: runDetailSchema,
      async serve({ viewer, id }) {
        const run = await guard.run(viewer, id);
        return toRunDetail(run, {
          steps: await store.steps.ofRun(id),
          callbacks: await store.outbox.ofRun(id),
          gates: await deps.gates.view(run),
          batch: run.batch === undefined ? undefined : await store.batches.view(run.batch),
          ...(await readChain(store, run)),
        });
      },
    }),
    operation('get', '/runs/{id}/log', {
      name: 'getRunLog',
      summary: "A run's log: text, or live as an event stream when that is what is accepted",
      query: z.object({
        timestamps: z.stringbool().default(false).describe('Each line with its time'),
      }),
      answer: { contentTypes: ['text/plain', 'text/event-stream'] },
      async serve({ ctx, viewer, id, query }) {
        const run = await guard.run(viewer, id);
        if (ctx.accepts('text/plain', 'text/event-stream') === 'text/event-stream') {
          streamLog(ctx, { store, news, run: run.id });
          return;
        }
        ctx.type = 'text/plain';
        return logText(ctx, deps, run, query.timestamps);
      },
    }),
    action('cancel', 'Stops a run', 202),
    action('retry', 'Runs the same revision with the same spec again', 201),
    operation('post', '/specs/{name}/deploy', {
      name: 'deploySpec',
      summary: 'Deploys a commit by hand, whatever the triggers of the spec say',
      query: z.object({
        revision: z
          .string()
          .min(1)
          .max(1000)
          .optional()
          .describe('A branch, a tag or a commit; by default the one branch that the spec names'),
      }),
      status: 201,
      answer: runSchema,
      async serve({ viewer, id: name, query }) {
        const actor = await guard.allow(viewer, 'deploy', { kind: 'spec', name });
        return await deps.deploy(name, query.revision, actor);
      },
    }),
    operation('post', '/specs/{name}/rollback', {
      name: 'rollbackSpec',
      summary:
        'Deploys the revision before the one that the spec deployed last, or that of run `to`',
      query: rollbackQuery,
      status: 201,
      answer: rolledBackSchema,
      async serve({ viewer, id: name, query }) {
        const actor = await mayRollBack(viewer, { kind: 'spec', name }, query.to);
        return await toRolledBack(viewer, await operate.rollbackSpec(name, actor, query));
      },
    }),
    operation('post', '/runs/{id}/rollback', {
      name: 'rollbackRun',
      summary: 'Deploys the revision that was deployed before this run, or by the run `to`',
      query: rollbackQuery,
      status: 201,
      answer: rolledBackSchema,
      async serve({ viewer, id, query }) {
        const actor = await mayRollBack(viewer, { kind: 'run', name: id }, query.to);
        return await toRolledBack(viewer, await operate.rollback(id, actor, query));
      },
    }),
  ];
}
