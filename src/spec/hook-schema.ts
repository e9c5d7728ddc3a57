import * as z from 'zod';
import { describeError } from '../lib/errors.ts';
import { parseNetwork } from '../lib/networks.ts';
import { SERVER_TYPES } from '../lib/servers.ts';
import type { Json } from '../model/event.ts';
import {
  HOOK_METHODS,
  INPUT_TYPES,
  readingOf,
  SENDERS,
  TOKEN_SENDERS,
  type Extract,
  type Hook,
  type HookSecret,
  type SenderOptions,
} from '../model/hook.ts';
import { compileSchema } from './input-schema.ts';
import { valuesAt } from './json-path.ts';
import {
  type Context,
  duration,
  hookCondition,
  hookId,
  LOGIN,
  oneOrMore,
  optional,
  problem,
  secretName,
  serverName,
  textUpTo,
} from './schema-fields.ts';

const MINUTE = 60_000;
const HEADER = /^[A-Za-z0-9-]{1,100}$/;

const headerName = z.string().regex(HEADER, 'a header has letters, digits and "-"');

const hmac = z.strictObject({
  header: headerName.describe('The header that has the signature.'),
  prefix: optional(
    'What stands before the signature, such as "sha256=". Default: nothing.',
    textUpTo(40),
  ),
  algorithm: optional(
    'Default: sha256. sha1 is weak: only for what cannot do better.',
    z.enum(['sha256', 'sha512', 'sha1']),
  ),
  encoding: optional('Default: hex.', z.enum(['hex', 'base64'])),
  signed: optional(
    'What is signed, such as "{timestamp}.{body}". Default: "{body}".',
    textUpTo(200).regex(/\{body\}$/, 'must end with {body}'),
  ),
  timestamp: optional('The header with the time of signing, in seconds since 1970.', headerName),
  tolerance: optional(
    'How far that time may be from now. Default: 5m.',
    duration(1000, 60 * MINUTE, 'at least 1s and at most 1h'),
  ),
});

const sender = z.union([
  z.enum(SENDERS),
  z.strictObject({
    hmac: optional('Any sender that signs with HMAC.', hmac),
    header: optional('The header that has the token.', headerName),
  }),
]);

const time = z.iso
  .datetime({ offset: true, error: 'must be a time such as 2026-01-31T12:00:00Z' })
  .transform((text) => Date.parse(text));

const secret = z
  .union([
    secretName,
    z.strictObject({
      name: secretName,
      from: optional('Counts from then on.', time),
      until: optional('Counts until then.', time),
    }),
  ])
  .transform((one): HookSecret => {
    const { name, from, until } = typeof one === 'string' ? { name: one } : one;
    return { name, from, until };
  });

const inputName = z
  .string()
  .regex(/^[a-z][a-z0-9_-]{0,62}$/, 'an input has 1 to 63 characters: a-z, 0-9, "_" and "-"');

const extract = z
  .union([
    z.string(),
    z.strictObject({
      json: optional('A JSONPath (RFC 9535) into the body.', z.string().max(1000)),
      expression: optional('A CEL expression over body, headers and query.', z.string()),
      header: optional('A header.', headerName),
      query: optional('A parameter of the URL.', z.string().min(1).max(100)),
      type: optional('Default: any.', z.enum(INPUT_TYPES)),
      default: optional('Taken when there is nothing.', z.unknown()),
      required: optional('Refuse the request when there is nothing.', z.boolean()),
    }),
  ])
  .transform((written, context): Extract => {
    const parts = typeof written === 'string' ? { json: written } : written;
    const from = sourceOf(parts);
    if (from === undefined) {
      problem(context, 'needs one of json, expression, header, query', 'write: tag: "$.tag"');
      return z.NEVER;
    }
    const why = from.kind === 'json' ? whyNoPath(from.path) : undefined;
    if (why !== undefined) problem(context, why, 'use expression for what a path cannot say');
    const { type = 'any', required = false } = parts as Partial<Extract>;
    return { from, type, default: (parts as { default?: Json }).default, required };
  });

function sourceOf(
  parts: Partial<Record<'json' | 'expression' | 'header' | 'query', string | undefined>>,
): Extract['from'] | undefined {
  const { json, expression, header, query: parameter } = parts;
  const given: (Extract['from'] | undefined)[] = [
    json === undefined ? undefined : { kind: 'json', path: json },
    expression === undefined ? undefined : { kind: 'expression', expression },
    header === undefined ? undefined : { kind: 'header', name: header.toLowerCase() },
    parameter === undefined ? undefined : { kind: 'query', name: parameter },
  ];
  const [from, ...more] = given.filter((one) => one !== undefined);
  return more.length === 0 ? from : undefined;
}

/** What could take long in a large body is not for a path: its regular expressions backtrack, and `..` in `..` visits all of it for each part. */
function whyNoPath(path: string): string | undefined {
  if (/\b(?:match|search)\s*\(/.test(path)) return 'match() and search() are not supported';
  if ((path.match(/\.\./g) ?? []).length > 1) return '".." may stand in a path only once';
  if ((path.match(/\?/g) ?? []).length > 1) return 'a path may have one filter';
  try {
    valuesAt({}, path);
    return undefined;
  } catch {
    return 'is not a JSONPath (RFC 9535), such as $.push_data.tag';
  }
}

const address = z.string().superRefine((text, context) => {
  if (text !== 'github' && parseNetwork(text) === undefined) {
    const hint = 'write it like 10.0.0.0/8, or github for those that GitHub sends from';
    problem(context, `"${text.slice(0, 60)}" is no address or network`, hint);
  }
});

/** `100/m`: so many in a second, minute or hour. */
const rate = z.string().transform((text, context): Hook['rate'] => {
  const [, count = '', unit = ''] = /^([1-9]\d{0,6})\/([smh])$/.exec(text) ?? [];
  if (count === '') {
    problem(context, `"${text.slice(0, 40)}" is no rate`, 'write it like 10/s, 100/m or 1000/h');
    return z.NEVER;
  }
  return { count: Number(count), perMs: { s: 1000, m: 60_000, h: 3_600_000 }[unit] ?? 0 };
});

const line = z.string().regex(/^[^\p{Cc}]{1,500}$/u, 'must be one line of at most 500 characters');

const clientCertificate = z
  .strictObject({
    subject: optional('All of its subject, such as CN=alerts,O=Acme.', oneOrMore(line, 50)),
    san: optional(
      'An alternative name, such as DNS:alerts.example or URI:spiffe://acme/alerts.',
      oneOrMore(line, 50),
    ),
    fingerprint: optional(
      'Its SHA-256.',
      oneOrMore(
        z
          .string()
          .transform((text) => text.replaceAll(':', '').toLowerCase())
          .refine((text) => /^[0-9a-f]{64}$/.test(text), 'is no SHA-256 in hex'),
        50,
      ),
    ),
  })
  .transform((given, context) => {
    const { subject = [], san = [], fingerprint = [] } = given;
    if (subject.length + san.length + fingerprint.length === 0) {
      problem(context, 'needs one of subject, san, fingerprint');
    }
    return { subject, san, fingerprint };
  });

/** Logins, by the ids that Slack gives people. */
const users = z
  .record(
    z.string().regex(/^[UW][A-Z\d]{5,30}$/, 'is no id of a person, such as U0123456789'),
    z.string().regex(LOGIN, 'is no login'),
  )
  .superRefine((people, context) => {
    const count = Object.keys(people).length;
    if (count === 0) problem(context, 'names no one');
    if (count > 1000) problem(context, 'more than 1000 people');
  });

const written = z.strictObject({
  kind: z.literal('hook').describe('What this document is.'),
  id: hookId.describe('The last part of the URL: /webhooks/v1/hooks/<id>.'),
  sender: sender.describe('Who sends, and so how a request is checked.'),
  server: optional(
    'The git server that sends, as MAINSHEET_SERVERS calls it: its pushes and releases start what the specs of its repositories say.',
    serverName,
  ),
  team: optional(
    'With users: the id of the workspace of Slack that they are of.',
    z.string().regex(/^[TE][A-Z\d]{5,30}$/, 'is no id of a workspace, such as T0123456789'),
  ),
  users: optional(
    "Whose presses of buttons in Slack count: logins at GitHub by Slack's ids of people. The hook takes nothing else then.",
    users,
  ),
  secrets: optional(
    'Names of the secrets, any of which may have signed. Without it only hooks that are made through the API take requests.',
    oneOrMore(secret, 10),
  ),
  methods: optional('Default: POST.', oneOrMore(z.enum(HOOK_METHODS), 3)),
  'content-types': optional(
    'Default: application/json.',
    oneOrMore(z.string().regex(/^[\w.+-]+\/[\w.+-]+$/, 'is no content type'), 20),
  ),
  addresses: optional(
    'From where requests may come; github: from where GitHub says that it sends. Default: anywhere.',
    oneOrMore(address, 200),
  ),
  'client-certificate': optional(
    'What the certificate of the client must be. Default: none is asked for.',
    clientCertificate,
  ),
  rate: optional('How many requests it takes, such as 100/m. Default: no limit.', rate),
  'rate-per-address': optional(
    'How many requests it takes from one address, such as 10/m. Default: no limit.',
    rate,
  ),
  extract: optional(
    'Inputs by name: where each comes from.',
    z.record(inputName, extract).superRefine((inputs, context) => {
      if (Object.keys(inputs).length > 100) problem(context, 'more than 100 inputs');
      const seen = new Map<string, string>();
      for (const name of Object.keys(inputs)) {
        const plain = name.replaceAll('-', '_');
        const other = seen.get(plain);
        if (other !== undefined) problem(context, `${other} and ${name} would be one variable`);
        seen.set(plain, name);
      }
    }),
  ),
  schema: optional(
    'A JSON Schema (draft 2020-12) of the inputs, which are one map.',
    z.record(z.string(), z.unknown()).superRefine((schema, context) => {
      try {
        compileSchema(schema as { [key: string]: Json });
      } catch (error) {
        const said = describeError(error);
        if (said.startsWith('unknown format ')) {
          problem(context, 'has a format, which is not checked', 'say it by a pattern');
        } else problem(context, `is no JSON Schema: ${said}`);
      }
    }),
  ),
  respond: optional(
    'How a request is answered. Default: at once.',
    z
      .strictObject({
        wait: optional(
          'Answer with the outputs when all runs have ended within this time.',
          duration(1000, 30_000, 'at least 1s and at most 30s'),
        ),
        callback: optional(
          'A CEL expression over body, headers and query: the URL to which the result of each run is posted. Empty: to none.',
          z.string(),
        ),
        secret: optional('Name of the secret that signs what is posted.', secretName),
      })
      .superRefine(({ wait, callback, secret: key }, context) => {
        if (wait === undefined && callback === undefined)
          problem(context, 'needs wait or callback');
        if ((callback === undefined) !== (key === undefined)) {
          problem(context, '"callback" and "secret" belong together: what is posted is signed');
        }
      }),
  ),
  if: hookCondition.optional(),
  dedupe: optional(
    'A CEL expression over body, headers and query: the id by which a request counts once.',
    z.string(),
  ),
});

/** The written form of a hook: what a YAML document with `kind: hook` may hold. */
export const hookSchema = written.transform((input, context): Hook => {
  const { name, options } = toSender(input.sender, context);
  const { team, users: logins, respond: { wait = 0, callback, secret: key } = {} } = input;
  const usual = input.users === undefined ? 'application/json' : FORM;
  const contentTypes = (input['content-types'] ?? [usual]).map((type) => type.toLowerCase());
  checkServer(input, context);
  checkPeople(input, context);
  const isSigned = !TOKEN_SENDERS.includes(name);
  if (isSigned && new Set(contentTypes.map(readingOf)).size > 1) {
    problem(
      context,
      'content-types: what is signed must be read in one way, since the content type is not signed',
      'make a hook for each',
    );
  }
  return {
    id: input.id,
    sender: name,
    server: input.server,
    people: team === undefined || logins === undefined ? undefined : { team, users: logins },
    options,
    secrets: input.secrets ?? [],
    methods: input.methods ?? ['POST'],
    contentTypes,
    addresses: input.addresses ?? [],
    clientCertificate: input['client-certificate'],
    rate: input.rate,
    ratePerAddress: input['rate-per-address'],
    extract: input.extract ?? {},
    schema: input.schema as Hook['schema'],
    waitMs: wait,
    callback:
      callback === undefined || key === undefined ? undefined : { url: callback, secret: key },
    if: input.if,
    dedupe: input.dedupe,
  };
});

/** What hooks cannot have that start nothing by their own: specs say what a push starts, and buttons what is asked for. */
const WITHOUT_TRIGGER = ['extract', 'schema', 'if', 'dedupe', 'respond'] as const;

function checkServer(input: z.output<typeof written>, context: Context) {
  if (input.server === undefined) return;
  if (!(SERVER_TYPES as readonly unknown[]).includes(input.sender)) {
    problem(context, `server: its sender is one of ${SERVER_TYPES.join(', ')}`);
  }
  if (input.secrets === undefined) problem(context, 'server: it needs secrets');
  for (const key of WITHOUT_TRIGGER) {
    if (input[key] === undefined) continue;
    problem(context, `${key}: the hook of a server has none`, "remove it, or remove 'server'");
  }
}

const FORM = 'application/x-www-form-urlencoded';

/** A hook for buttons: who signs it may press in the name of all that it names. */
function checkPeople(input: z.output<typeof written>, context: Context) {
  if (input.team === undefined && input.users === undefined) return;
  if (input.team === undefined || input.users === undefined) {
    problem(context, '"team" and "users" belong together');
  }
  if (input.sender !== 'slack') problem(context, 'users: the sender is slack');
  if (input.secrets === undefined) problem(context, 'users: it needs secrets');
  if (input.methods !== undefined) problem(context, 'methods: Slack sends POST');
  if (input['content-types'] !== undefined) problem(context, `content-types: Slack sends ${FORM}`);
  for (const key of WITHOUT_TRIGGER) {
    if (input[key] === undefined) continue;
    problem(context, `${key}: a hook for buttons has none`, "remove it, or remove 'users'");
  }
}

const PLAIN: SenderOptions = {
  header: undefined,
  prefix: '',
  algorithm: 'sha256',
  encoding: 'hex',
  signed: '{body}',
  timestamp: undefined,
  toleranceMs: 5 * MINUTE,
};

function toSender(
  input: z.output<typeof sender>,
  context: Context,
): { name: Hook['sender']; options: SenderOptions } {
  if (typeof input === 'string') {
    if (input === 'hmac' || input === 'header') {
      problem(
        context,
        `sender: ${input} needs to know the header`,
        input === 'hmac'
          ? 'write sender: { hmac: { header: X-Signature } }'
          : 'write sender: { header: X-Token }',
      );
    }
    return { name: input, options: PLAIN };
  }
  if (input.header !== undefined && input.hmac === undefined) {
    return { name: 'header', options: { ...PLAIN, header: input.header } };
  }
  if (input.hmac === undefined || input.header !== undefined) {
    problem(context, 'sender needs one of hmac and header');
    return { name: 'hmac', options: PLAIN };
  }
  const { hmac: given } = input;
  const signed = given.signed ?? (given.timestamp === undefined ? '{body}' : '{timestamp}.{body}');
  if (signed.includes('{timestamp}') !== (given.timestamp !== undefined)) {
    problem(context, 'sender.hmac: "timestamp" and {timestamp} in "signed" belong together');
  }
  return {
    name: 'hmac',
    options: {
      header: given.header,
      prefix: given.prefix ?? '',
      algorithm: given.algorithm ?? 'sha256',
      encoding: given.encoding ?? 'hex',
      signed,
      timestamp: given.timestamp,
      toleranceMs: given.tolerance ?? PLAIN.toleranceMs,
    },
  };
}
