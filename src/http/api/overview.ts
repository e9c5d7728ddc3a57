import * as z from 'zod';
import { shownOf } from '../../callbacks/index.ts';
import type { Broadcast } from '../../lib/broadcast.ts';
import type { Operate } from '../../controller/operator/operate.ts';
import type { News } from '../../model/news.ts';
import type { Catalog } from '../../spec/catalog.ts';
import type { Store } from '../../store/index.ts';
import { hears } from '../auth/hears.ts';
import type { RepositoryOfRun } from '../read/run-repositories.ts';
import { seenPauses } from '../read/held.ts';
import { viewSource } from '../read/specs-source.ts';
import { eventStream } from './event-stream.ts';
import { forAll, type Guard } from '../guard.ts';
import {
  callbackSchema,
  environmentSchema,
  problemSchema,
  sourceSchema,
  specSchema,
  toCallback,
  toEnvironment,
  toSpec,
} from './resources.ts';
import { listOf, operation, pageQuery, toPageRequest, type Operation } from './route.ts';

const MOST_AUDITED = 200;

const auditSchema = z
  .object({
    at: z.iso.datetime(),
    actor: z.string(),
    action: z.string().describe('`run.cancel`, `spec.pause`, …'),
    subject: z.string().describe('What it was done to'),
    detail: z.string(),
    origin: z
      .string()
      .nullable()
      .describe(
        'From where: `dashboard from 192.0.2.7`; null for what was done on GitHub, and for all but administrators',
      ),
  })
  .meta({ id: 'AuditEntry' });

/** Events that may wait for a slow listener before it is cut off. */
const MOST_WAITING = 1000;

/** Specs, environments, the outbox, and the stream of everything that happens. */
export function overviewOperations(deps: {
  store: Store;
  catalog: Catalog;
  operate: Operate;
  news: Broadcast<News>;
  guard: Pick<Guard, 'entry' | 'allow'>;
  repositoryOfRun: RepositoryOfRun;
  /** Without a slash at the end. */
  githubUrl: string;
}): Operation[] {
  const { store, catalog, operate, news, guard } = deps;
  return [
    operation('get', '/specs', {
      name: 'listSpecs',
      summary: 'The deployment specs in use, and what is wrong with those on disk',
      answer: listOf(specSchema).extend({
        stale: z
          .boolean()
          .describe('The specs on disk are not valid; the last valid set is in use'),
        problems: z.array(problemSchema),
        source: sourceSchema.nullable().describe('Where the specs in use are from'),
      }),
      async serve({ viewer }) {
        const { specs: all, stale, problems, source: from } = catalog.current();
        const source = viewSource(from, viewer, deps.githubUrl);
        const specs = all.filter(({ spec }) => viewer.canSee(spec.repository));
        const pauses = await seenPauses(deps, viewer);
        const items = await Promise.all(
          specs.map(async (loaded) => {
            const installation = await store.installations.stateOf(loaded.spec.repository);
            return toSpec(loaded, pauses, installation, source);
          }),
        );
        const isAll = viewer.visible === undefined;
        return {
          items,
          next: undefined,
          stale: isAll && stale,
          problems: isAll ? problems : [],
          // Those who see no spec are told nothing of them.
          source: isAll || items.length > 0 ? source : undefined,
        };
      },
    }),
    operation('get', '/environments', {
      name: 'listEnvironments',
      summary: 'What is deployed where',
      answer: listOf(environmentSchema),
      async serve({ viewer }) {
        const { specs, loadedAt } = catalog.current();
        const known = loadedAt === 0 ? undefined : specs;
        const places = (await store.environments.list()).filter(({ repository }) =>
          viewer.canSee(repository),
        );
        return { items: places.map((place) => toEnvironment(place, known)), next: undefined };
      },
    }),
    operation('get', '/audit', {
      name: 'listAudit',
      summary: 'What was done by hand, newest first',
      query: pageQuery.extend({
        limit: pageQuery.shape.limit.unwrap().default(MOST_AUDITED),
        actor: z.string().max(200).optional(),
        action: z.string().max(100).optional(),
        subject: z.string().max(200).optional(),
      }),
      answer: listOf(auditSchema),
      async serve({ viewer, query: { limit, cursor, ...filter } }) {
        const seen = viewer.visible;
        const request = toPageRequest({ limit, cursor });
        const { items, next } = await store.audit.search(request, { ...filter, seen });
        return {
          // Where colleagues are is not for each of them.
          items: items.map(({ origin, ...entry }) => ({
            ...entry,
            origin: seen === undefined ? origin : undefined,
          })),
          next,
        };
      },
    }),
    operation('get', '/outbox', {
      name: 'listOutbox',
      summary: 'Callbacks to GitHub and webhooks, newest first',
      query: pageQuery.extend({
        state: z.enum(['pending', 'sent', 'obsolete', 'dead']).optional(),
      }),
      answer: listOf(callbackSchema),
      async serve({ viewer, query }) {
        const { items, next } = await store.outbox.list(toPageRequest(query), {
          state: query.state,
          visible: viewer.visible,
        });
        return { items: items.map(toCallback), next };
      },
    }),
    operation('get', '/outbox/{id}', {
      name: 'getCallback',
      summary: 'A callback: what it tells whom, and why it was not sent',
      answer: callbackSchema.extend({
        content: z.unknown().describe('What is sent, with templates as they are written'),
      }),
      async serve({ viewer, id }) {
        const { entry } = await guard.entry(viewer, id);
        return { ...toCallback(entry), content: shownOf(entry.callback) };
      },
    }),
    operation('post', '/outbox/retry', {
      name: 'retryCallbacks',
      summary: 'Sends every dead callback again',
      status: 202,
      answer: z.object({ retried: z.int() }),
      async serve({ viewer }) {
        forAll(viewer, 'send every callback again');
        return { retried: await operate.resendAll(viewer.actor) };
      },
    }),
    operation('post', '/outbox/{id}/retry', {
      name: 'retryCallback',
      summary: 'Sends a dead callback again',
      query: z.object({
        target: z
          .enum(['true', 'false'])
          .default('false')
          .describe('Also every other dead one of its target'),
      }),
      status: 202,
      answer: callbackSchema,
      async serve({ viewer, id, query }) {
        const actor = await guard.allow(viewer, 'resend', { kind: 'entry', name: id });
        const { entry } = await guard.entry(viewer, id);
        await operate.resend(entry.id, actor, query.target === 'true');
        return toCallback((await guard.entry(viewer, id)).entry);
      },
    }),
    operation('get', '/events', {
      name: 'streamEvents',
      summary: 'Everything that happens in this process, as it happens',
      answer: { contentTypes: ['text/event-stream'] },
      async serve({ ctx, viewer }) {
        const stream = eventStream(ctx, store.flushed);
        let waiting = 0;
        const tell = async (item: News) => {
          if (!(await hears(viewer, item, deps.repositoryOfRun))) return;
          const { kind, ...data } = item;
          await stream.send(kind, data);
        };
        const unsubscribe = news.subscribe((item) => {
          if (item.kind === 'access') return;
          if (waiting >= MOST_WAITING) return stream.end();
          waiting += 1;
          tell(item)
            .finally(() => (waiting -= 1))
            .catch((error: unknown) => stream.fail(error));
        });
        stream.signal.addEventListener('abort', unsubscribe, { once: true });
      },
    }),
  ];
}
