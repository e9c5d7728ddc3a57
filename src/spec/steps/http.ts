import * as z from 'zod';
import type { Json } from '../../model/event.ts';
import {
  duration,
  listOf,
  optional,
  secretName,
  TEXT_LIMIT,
  textUpTo,
  timeout,
  webUrl,
} from '../schema-fields.ts';
import type { StepForm, StepOf } from './contract.ts';

const HOUR = 3_600_000;
const HEADER_NAME = /^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$/;

const expression = textUpTo(TEXT_LIMIT);

const schema = z
  .strictObject({
    url: webUrl('name a secret: secret: NAME').describe(
      'Where the request goes. May hold ${{ … }}, whose values are percent-encoded.',
    ),
    method: optional('Default: GET.', z.enum(['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD'])),
    headers: optional(
      'Values may hold ${{ … }}.',
      z.record(
        z.string().regex(HEADER_NAME, 'a header\'s name has letters, digits and "-"'),
        textUpTo(TEXT_LIMIT),
      ),
    ),
    body: optional(
      'Text as it is, anything else as JSON. May hold ${{ … }}.',
      z.union([z.string(), z.array(z.json()), z.record(z.string(), z.json())]),
    ),
    secret: optional('The secret that is sent as Authorization: Bearer.', secretName),
    expect: optional(
      'What the answer must be.',
      z.strictObject({
        status: optional('Default: 200 to 299.', listOf(z.int().min(100).max(599), 50)),
        if: optional(
          'A CEL expression over response (status, headers, body) that must be true.',
          expression,
        ),
      }),
    ),
    until: optional(
      'Repeats the request until the answer says that what it began is done.',
      z.strictObject({
        expression: expression.describe(
          'A CEL expression over response. The request is repeated until it is true.',
        ),
        url: optional(
          'A CEL expression over response: the address that is asked from then on, with GET, in place of the request. Of the same server.',
          expression,
        ),
        every: optional('Default: 5s.', duration(1000, HOUR, 'at least 1s and at most 1h')),
        timeout: optional('Default: 5m.', timeout),
      }),
    ),
    outputs: optional(
      'Outputs, each a CEL expression over response.',
      z.record(
        z
          .string()
          .regex(/^[A-Za-z_][A-Za-z0-9_]{0,99}$/, "an output's name has letters, digits and _"),
        expression,
      ),
    ),
  })
  .transform(({ until, expect, ...input }) => ({
    kind: 'http' as const,
    url: input.url,
    method: input.method ?? 'GET',
    headers: input.headers ?? {},
    body: input.body as Json | undefined,
    secret: input.secret,
    expect: { status: expect?.status, if: expect?.if },
    until: until && {
      expression: until.expression,
      url: until.url,
      everyMs: until.every ?? 5000,
      timeoutMs: until.timeout ?? 300_000,
    },
    outputs: input.outputs ?? {},
  }));

/** A request, and what its answer must be. */
export const http = {
  schema: schema.describe('A request, and what its answer must be.'),
  texts: {
    url: 'url',
    'headers.*': 'template',
    'body.**': 'template',
    secret: 'secret',
    'expect.if': 'response-condition',
    'until.expression': 'response-condition',
    'until.url': 'response-expression',
    'outputs.*': 'response-expression',
  },
} as const satisfies StepForm;

export type HttpStepSpec = StepOf<typeof http>;
