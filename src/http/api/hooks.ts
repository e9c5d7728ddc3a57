import * as z from 'zod';
import type { HookRegistry } from '../../controller/hooks/registry.ts';
import type { TryHook } from '../../controller/hooks/try-out.ts';
import { parseDuration } from '../../lib/duration.ts';
import type { LoadedSpec } from '../../model/deployment-spec.ts';
import { HOOK_METHODS, type DynamicHook, type LoadedHook } from '../../model/hook.ts';
import type { Json } from '../../model/event.ts';
import type { Catalog } from '../../spec/catalog.ts';
import type { Store } from '../../store/index.ts';
import type { Viewer } from '../auth/viewer.ts';
import { forAll, found } from '../guard.ts';
import { readHook, type HookView, type HookViewDeps } from '../read/hooks.ts';
import { deliverySchema, reasonSchema, toDelivery } from './resources.ts';
import type { Told } from './tell.ts';
import { listOf, operation, pageQuery, toPageRequest, type Operation } from './route.ts';

const DAY = 86_400_000;

const time = z.iso.datetime().describe('ISO 8601, UTC');

/** A duration, in milliseconds. */
function lasting(least: number, most: number) {
  return z.string().transform((text, context): number => {
    const ms = parseDuration(text);
    if (ms !== undefined && ms >= least && ms <= most) return ms;
    context.addIssue('a duration such as 24h or 30d, within bounds');
    return z.NEVER;
  });
}

const configuredSchema = z
  .object({
    id: z.string(),
    path: z.string().describe('Where requests are sent'),
    sender: z.string(),
    server: z.string().nullable().describe('The git server of whose pushes and releases it tells'),
    file: z.string(),
    line: z.int(),
    inputs: z.array(z.string()),
    specs: z.array(z.string()).describe('What it can start'),
  })
  .meta({ id: 'ConfiguredHook' });

const hookSchema = z
  .object({
    id: z.string().describe('128 random bits: who knows it and the secret can use the hook'),
    path: z.string().describe('Where requests are sent'),
    hook: z.string().describe('The configured hook of which it takes everything else'),
    owner: z.string(),
    specs: z.array(z.string()).describe('The only ones that it may start; empty: all of the hook'),
    inputs: z.record(z.string(), z.unknown()).describe('What no request changes'),
    secrets: z
      .array(z.object({ id: z.string(), createdAt: time, until: time.nullable() }))
      .describe('Which secrets count, and until when; never the secrets themselves'),
    createdAt: time,
    createdBy: z.string(),
    expiresAt: time,
  })
  .meta({ id: 'Hook' });

const secretSchema = z.object({
  name: z.string().describe('The name of a configured secret, or the id of one; never the secret'),
  set: z.boolean().nullable().describe('Whether it is set; null for one that follows from a key'),
  from: time.nullable(),
  until: time.nullable(),
});

const hookViewSchema = z
  .object({
    id: z.string(),
    path: z.string().describe('Where requests are sent'),
    sender: z.string().nullable().describe('Null when the hook is gone of which it was made'),
    file: z.string().nullable(),
    line: z.int().nullable(),
    made: hookSchema.nullable().describe('Null for one in a file'),
    inputs: z.array(z.string()),
    specs: z.array(z.string()).describe('What it can start or roll back'),
    secrets: z.array(secretSchema),
    last: deliverySchema.nullable().describe('The last request that was taken'),
    refused: z
      .array(z.object({ code: z.string(), count: z.int(), lastAt: time }))
      .describe('Requests that this process has refused since it was started'),
    refusedSince: time,
  })
  .meta({ id: 'HookView' });

const withSecret = hookSchema.extend({ secret: z.string().describe('Told only now') });

const newHook = z.strictObject({
  hook: z.string().max(100).describe('The id of a configured hook'),
  owner: z.string().min(1).max(200).describe('For whom it is'),
  specs: z.array(z.string().max(100)).max(100).default([]),
  inputs: z.record(z.string().max(63), z.unknown()).default({}),
  expires: lasting(60_000, 400 * DAY)
    .default(30 * DAY)
    .describe('How long it lasts. Default: 30d'),
});

const tried = z.strictObject({
  method: z.enum(HOOK_METHODS).optional().describe('Default: the first that the hook takes'),
  body: z
    .string()
    .max(1024 * 1024)
    .default(''),
  contentType: z.string().max(200).default('application/json'),
  headers: z.record(z.string().max(200), z.string().max(8192)).default({}),
  query: z.record(z.string().max(200), z.string().max(8192)).default({}),
});

/** Hooks: those in files, and those that are made here. */
export function hookOperations(
  deps: {
    store: Store;
    catalog: Catalog;
    registry: HookRegistry;
    tryHook: TryHook;
  } & HookViewDeps,
): Operation[] {
  const { store, catalog, registry } = deps;
  /** A hook may start what is in any repository, and who knows its id is close to using it. */
  const administratorOf = (viewer: Viewer): string => {
    forAll(viewer, 'manage hooks');
    return viewer.actor;
  };
  return [
    operation('get', '/hooks', {
      name: 'listHooks',
      summary: 'Hooks that were made through the API, newest first, and those in files',
      query: pageQuery.extend({ owner: z.string().max(200).optional() }),
      answer: listOf(hookSchema).extend({ configured: z.array(configuredSchema) }),
      async serve({ viewer, query }) {
        const specsOf = (id: string) =>
          catalog.forHook(id).filter(({ spec }) => viewer.canSee(spec.repository));
        const isAll = viewer.visible === undefined;
        const configured = catalog
          .hooks()
          .map((loaded) => toConfigured(loaded, specsOf(loaded.hook.id)))
          .filter(({ specs }) => isAll || specs.length > 0);
        if (!isAll) return { items: [], next: undefined, configured };
        const { items, next } = await store.hooks.list(toPageRequest(query), query.owner);
        return { items: items.map(toHook), next, configured };
      },
    }),
    operation('post', '/hooks', {
      name: 'createHook',
      summary: 'Makes a hook with an id and a secret of its own, for some time',
      body: newHook,
      status: 201,
      answer: withSecret,
      async serve({ viewer, body }) {
        const { expires, inputs, ...rest } = body;
        const request = { ...rest, inputs: inputs as { [name: string]: Json }, lastsMs: expires };
        const { hook, secret } = await registry.create(request, administratorOf(viewer));
        return { ...toHook(hook), secret };
      },
    }),
    operation('post', '/hooks/{id}/rotate', {
      name: 'rotateHook',
      summary: 'Makes a new secret; those before it count for some time more',
      query: z.object({
        overlap: lasting(0, 30 * DAY)
          .default(DAY)
          .describe('How long. Default: 24h'),
      }),
      answer: withSecret,
      async serve({ viewer, id, query }) {
        const { hook, secret } = await registry.rotate(id, query.overlap, administratorOf(viewer));
        return { ...toHook(hook), secret };
      },
    }),
    operation('post', '/hooks/{id}/test', {
      asks: true,
      name: 'testHook',
      summary: 'What a request to a hook would start; nothing is stored',
      body: tried,
      answer: z.object({
        refused: z
          .string()
          .nullable()
          .describe('Why its method, signature or token would be refused'),
        delivery: z.string(),
        inputs: z.record(z.string(), z.unknown()),
        specs: z.array(
          z.object({ spec: z.string(), matched: z.boolean(), reasons: z.array(reasonSchema) }),
        ),
      }),
      async serve({ viewer, id, body }) {
        administratorOf(viewer);
        const { refused, specs, ...trial } = await deps.tryHook(id, body);
        const verdicts = specs.map(({ spec, verdict }) => ({ spec, ...verdict }));
        return { ...trial, refused, specs: verdicts };
      },
    }),
    operation('get', '/hooks/{id}', {
      name: 'getHook',
      summary: 'A hook: what it takes and starts, what was sent to it last, and what was refused',
      answer: hookViewSchema,
      async serve({ viewer, id }) {
        const view = await readHook(deps, viewer, id);
        return toHookView(found(view, 'hook', id), deps.refused.since);
      },
    }),
    operation('delete', '/hooks/{id}', {
      name: 'deleteHook',
      summary: 'Removes a hook that was made through the API',
      answer: z.object({ deleted: z.string() }),
      async serve({ viewer, id }) {
        await registry.remove(id, administratorOf(viewer));
        return { deleted: id };
      },
    }),
  ];
}

/** Relative to where Mainsheet is. */
const pathOf = (id: string) => `webhooks/v1/hooks/${id}`;

function toHook(hook: DynamicHook): Told<typeof hookSchema> {
  return { ...hook, path: pathOf(hook.id) };
}

function toHookView(view: HookView, since: number): Told<typeof hookViewSchema> {
  const { id, hook, at, dynamic, last } = view;
  return {
    ...view,
    path: pathOf(id),
    sender: hook?.sender,
    file: at?.file,
    line: at?.line,
    made: dynamic && toHook(dynamic),
    inputs: Object.keys(hook?.extract ?? {}),
    secrets: view.secrets.map(({ isSet, ...one }) => ({ ...one, set: isSet })),
    last: last && toDelivery(last),
    refusedSince: since,
  };
}

function toConfigured(
  { hook, file, line }: LoadedHook,
  specs: readonly LoadedSpec[],
): Told<typeof configuredSchema> {
  return {
    id: hook.id,
    path: pathOf(hook.id),
    sender: hook.sender,
    server: hook.server,
    file,
    line,
    inputs: Object.keys(hook.extract),
    specs: specs.map(({ spec }) => spec.name),
  };
}
