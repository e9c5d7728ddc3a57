import * as z from 'zod';
import type { Intake } from '../../controller/intake/intake.ts';
import type { Catalog } from '../../spec/catalog.ts';
import { saysOf } from '../../spec/says.ts';
import type { Store } from '../../store/index.ts';
import { readPathTables } from '../read/path-tables.ts';
import type { Guard } from '../guard.ts';
import {
  deliverySchema,
  explanationSchema,
  runSchema,
  toDelivery,
  toExplanation,
} from './resources.ts';
import { tell } from './tell.ts';
import { listOf, operation, pageQuery, toPageRequest, type Operation } from './route.ts';

/** Deliveries: what came, what was decided, and why. */
export function deliveryOperations(deps: {
  store: Store;
  intake: Intake;
  catalog: Pick<Catalog, 'byName'>;
  guard: Pick<Guard, 'delivery' | 'allow'>;
}): Operation[] {
  const { store, guard } = deps;

  return [
    operation('get', '/deliveries', {
      name: 'listDeliveries',
      summary: 'Deliveries, newest first',
      query: pageQuery.extend({
        event: z.string().max(100).optional(),
        state: z.enum(['pending', 'processed', 'failed']).optional(),
        repository: z.string().max(200).optional(),
      }),
      answer: listOf(deliverySchema),
      async serve({ viewer, query: { limit, cursor, ...filter } }) {
        const { items, next } = await store.inbox.list(toPageRequest({ limit, cursor }), {
          ...filter,
          visible: viewer.visible,
        });
        return { items: items.map(toDelivery), next };
      },
    }),
    operation('get', '/deliveries/{id}', {
      name: 'getDelivery',
      summary: 'A delivery with its payload and headers, which are null when they are not kept',
      answer: deliverySchema.extend({
        headers: z
          .record(z.string(), z.string())
          .nullable()
          .describe('Of its request: those that say what it is, and no secrets'),
        payload: z.unknown(),
      }),
      async serve({ ctx, viewer, id }) {
        const { delivery, payload, headers } = await guard.delivery(viewer, id);
        const fields = JSON.stringify(tell(deliverySchema, toDelivery(delivery)));
        ctx.type = 'application/json';
        // Both are JSON already, and the payload may be nested deeper than what writes JSON can go.
        ctx.body = `${fields.slice(0, -1)},"headers":${headers ?? 'null'},"payload":${payload || 'null'}}`;
        return undefined;
      },
    }),
    operation('get', '/deliveries/{id}/explain', {
      name: 'explainDelivery',
      summary: 'Why a delivery did or did not deploy: every spec, every condition',
      answer: explanationSchema,
      async serve({ viewer, id }) {
        const { delivery, payload } = await guard.delivery(viewer, id);
        const ids = (delivery.outcome?.specs ?? []).flatMap(({ run }) => run ?? []);
        const found = await Promise.all(ids.map((run) => store.runs.get(run)));
        const runs = found.filter((run) => run !== undefined);
        return toExplanation(
          delivery,
          runs,
          (name) => {
            const loaded = deps.catalog.byName(name);
            return loaded === undefined || !viewer.canSee(loaded.spec.repository)
              ? []
              : saysOf(loaded.spec);
          },
          await readPathTables(deps, viewer, { delivery, payload, runs }),
        );
      },
    }),
    operation('post', '/deliveries/{id}/replay', {
      name: 'replayDelivery',
      summary: "Runs a delivery's payload against today's specs once more",
      status: 201,
      answer: z.object({ summary: z.string(), runs: z.array(runSchema) }),
      async serve({ viewer, id }) {
        const actor = await guard.allow(viewer, 'replay', { kind: 'delivery', name: id });
        const { outcome, runs } = await deps.intake.replay(id, actor);
        return { summary: outcome.summary, runs };
      },
    }),
  ];
}
