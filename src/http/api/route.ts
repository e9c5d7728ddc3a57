import { Router } from '@koa/router';
import type { Context, Middleware } from 'koa';
import * as z from 'zod';
import type { Logger } from '../../lib/logger.ts';
import type { Barrier } from '../../store/barrier.ts';
import type { PageRequest } from '../../store/page.ts';
import { decodeCursor } from '../../store/page.ts';
import { viewerOf, type Viewer } from '../auth/viewer.ts';
import { ProblemError } from '../problem.ts';
import type { AskCostly } from '../questions.ts';
import { toAnswer, type Told } from './tell.ts';
import { readJson } from './read-json.ts';

/** What an operation is given. */
interface ApiRequest<Query, Body> {
  ctx: Context;
  viewer: Viewer;
  /** The placeholder of the path. */
  id: string;
  query: Query;
  body: Body;
}

/** One operation of the API: what the router serves and what the OpenAPI description says are the same object. */
export interface Operation {
  method: 'get' | 'post' | 'delete';
  /** With OpenAPI's placeholders, at most one: `/runs/{id}`. */
  path: string;
  name: string;
  summary: string;
  query: z.ZodObject;
  /** The schema of a JSON body; undefined: none is read. */
  body: z.ZodType | undefined;
  status: number;
  /** The schema of a JSON answer; for anything else the content types. */
  answer: z.ZodType | { contentTypes: string[] } | undefined;
  /** Whether much has to be read for its answer, so that it is limited for each viewer. */
  costly: boolean;
  /** Whether it changes nothing, although it has a body: the log does not tell of it as of a deed. */
  asks: boolean;
  /** Content types beside JSON, in which `serve` answers by itself, and gives undefined. */
  alsoAnswers: readonly string[];
  serve(request: ApiRequest<never, never>): Promise<unknown>;
}

/** Describes an operation, with types that follow from its schemas. */
export function operation<
  Query extends z.ZodObject,
  Answer extends z.ZodType,
  Body extends z.ZodType = z.ZodUndefined,
>(
  method: Operation['method'],
  path: string,
  definition: Pick<Operation, 'name' | 'summary'> &
    Partial<Pick<Operation, 'status' | 'alsoAnswers' | 'costly' | 'asks'>> & {
      query?: Query;
      body?: Body;
      answer?: Answer | { contentTypes: string[] };
      serve: (
        request: ApiRequest<z.output<Query>, z.output<Body>>,
      ) => Promise<Told<Answer> | undefined>;
    },
): Operation {
  return {
    method,
    path,
    query: z.object({}),
    body: undefined,
    status: 200,
    answer: undefined,
    alsoAnswers: [],
    costly: false,
    asks: false,
    ...definition,
  };
}

/** What every list takes. */
export const pageQuery = z.object({
  limit: z.coerce.number().int().min(1).max(200).default(50).describe('How many, at most 200'),
  cursor: z.string().max(100).optional().describe('`next` of the page before'),
});

export function toPageRequest(query: z.output<typeof pageQuery>): PageRequest {
  return {
    limit: query.limit,
    before: query.cursor === undefined ? undefined : decodeCursor(query.cursor),
  };
}

/** What every list answers. */
export function listOf<Item extends z.ZodType>(item: Item) {
  return z.object({
    items: z.array(item),
    next: z.string().nullable().describe('Cursor of the next page'),
  });
}

/**
 * Serves the operations below `prefix`. Queries are checked, answers are what `serve` returns, once it is on the disk. The guard is part of each
 * route, so that no spelling of a path that the router takes (it ignores case) can lead past it.
 */
export function apiRouter(
  prefix: string,
  guard: Middleware,
  operations: readonly Operation[],
  logger: Logger,
  flushed: Barrier,
  askCostly: AskCostly,
): Router {
  const router = new Router({ prefix });
  for (const one of operations) {
    router[one.method](one.path.replaceAll(/\{(\w+)\}/g, ':$1'), guard, async (ctx) => {
      const query = one.query.strict().safeParse(ctx.query);
      if (!query.success) {
        throw new ProblemError(400, 'invalid-query', z.prettifyError(query.error), {
          hint: 'the API is described at /api/v1/openapi.json',
        });
      }
      const viewer = viewerOf(ctx);
      const request = {
        ctx,
        viewer,
        id: Object.values<string>(ctx.params)[0] ?? '',
        query: query.data as never,
        body: (one.body === undefined ? undefined : await bodyOf(ctx, one.body)) as never,
      };
      const serve = () => one.serve(request);
      const answer = await (one.costly ? askCostly(viewer, serve) : serve());
      if (one.method !== 'get' && !one.asks) {
        const { reason } = query.data as { reason?: string };
        const why = reason ? { reason } : {};
        logger.info({ by: viewer.actor, action: ctx.path, ...why }, 'operator acted');
      }
      await flushed();
      if (answer === undefined) return;
      ctx.status = one.status;
      ctx.body = one.answer instanceof z.ZodType ? toAnswer(one.answer, answer) : answer;
    });
  }
  return router;
}

async function bodyOf(ctx: Context, schema: z.ZodType): Promise<unknown> {
  const body = schema.safeParse(await readJson(ctx));
  if (body.success) return body.data;
  throw new ProblemError(400, 'invalid-body', z.prettifyError(body.error), {
    hint: 'the API is described at /api/v1/openapi.json',
  });
}
