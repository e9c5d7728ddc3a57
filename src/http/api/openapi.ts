import * as z from 'zod';
import type { Json } from '../../model/event.ts';
import { operation, type Operation } from './route.ts';

const PROBLEM = {
  description: 'What was wrong and what to do: RFC 9457',
  content: {
    'application/problem+json': {
      schema: {
        type: 'object',
        required: ['type', 'title', 'status', 'code', 'detail'],
        properties: {
          type: { type: 'string' },
          title: { type: 'string' },
          status: { type: 'integer' },
          code: { type: 'string' },
          detail: { type: 'string' },
          hint: { type: 'string' },
        },
      },
    },
  },
};

/** Adds the operation that describes all the others. */
export function withOpenApi(operations: readonly Operation[], version: string): Operation[] {
  const describe = operation('get', '/openapi.json', {
    name: 'getOpenApi',
    summary: 'This description',
    answer: z.record(z.string(), z.unknown()),
    serve: async () => (document ??= describeApi(all, version)),
  });
  // Made when it is first asked for.
  let document: Record<string, Json> | undefined;
  const all: Operation[] = [...operations, describe];
  return all;
}

/** The OpenAPI 3.1 description of the operations, made from the same schemas that serve them. */
function describeApi(operations: readonly Operation[], version: string): Record<string, Json> {
  const paths: Record<string, Record<string, Json>> = {};
  const schemas: Record<string, Json> = {};
  for (const one of operations) {
    const path = `/api/v1${one.path}`;
    paths[path] = { ...paths[path], [one.method]: describeOperation(one, schemas) };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Mainsheet',
      version,
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    // Relative to where this description is, below whatever path a proxy has put before it.
    servers: [{ url: '../..' }],
    components: {
      schemas,
      securitySchemes: { token: { type: 'http', scheme: 'bearer' } },
    },
    security: [{ token: [] }],
    paths,
  };
}

/** Schemas that have a name are put into `schemas`. */
function describeOperation(one: Operation, schemas: Record<string, Json>): Json {
  const placeholders = [...one.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name: name ?? '',
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }));
  return {
    operationId: one.name,
    summary: one.summary,
    parameters: [...placeholders, ...queryParameters(one.query)],
    ...(one.body === undefined
      ? {}
      : { requestBody: { required: true, content: jsonOf(one.body, 'input', schemas) } }),
    responses: {
      [String(one.status)]: { description: 'Done', content: contentOf(one, schemas) },
      default: PROBLEM,
    },
  };
}

function queryParameters(query: z.ZodObject): Json[] {
  const schema = z.toJSONSchema(query, { io: 'input' });
  return Object.entries(schema.properties ?? {}).map(([name, property]) => ({
    name,
    in: 'query',
    required: schema.required?.includes(name) ?? false,
    schema: property as Json,
  }));
}

function contentOf({ answer, alsoAnswers }: Operation, schemas: Record<string, Json>): Json {
  if (answer === undefined) return {};
  const isJson = answer instanceof z.ZodType;
  const types = isJson ? alsoAnswers : answer.contentTypes;
  return {
    ...(isJson ? jsonOf(answer, 'output', schemas) : {}),
    ...Object.fromEntries(types.map((type) => [type, { schema: { type: 'string' } }])),
  };
}

function jsonOf(
  type: z.ZodType,
  io: 'input' | 'output',
  schemas: Record<string, Json>,
): Record<string, Json> {
  const text = JSON.stringify(z.toJSONSchema(type, { io, reused: 'inline' }));
  // A reference is looked up from the root of the whole document, not of the schema that it stands in.
  const {
    $schema: _dialect,
    $defs,
    ...schema
  } = JSON.parse(text.replaceAll('"#/$defs/', '"#/components/schemas/')) as Record<string, Json> & {
    $defs?: Record<string, Json>;
  };
  Object.assign(schemas, $defs);
  return { 'application/json': { schema } };
}
