import { isUtf8 } from 'node:buffer';
import type { Middleware } from 'koa';
import type { Clock } from '../lib/clock.ts';
import { MainsheetError } from '../lib/errors.ts';
import { bodyDigest } from '../sources/github/body-digest.ts';
import { DEPLOYING_EVENTS } from '../sources/github/event-shape.ts';
import { github } from '../sources/github/source.ts';
import type { Json } from '../model/event.ts';
import type { Metrics } from './metrics.ts';
import { ProblemError } from './problem.ts';
import type { ReadBody } from './read-body.ts';
import type { TakeIn } from './take-in.ts';

const WEBHOOK_PATH = '/webhooks/v1/github';

/**
 * `POST /webhooks/v1/github`: bytes in, 202 out, and in between one commit (G1). Headers are checked before the body is
 * read, the signature before it is parsed; nothing that fails either is stored.
 */
export function webhookRoute(deps: {
  secrets: readonly string[];
  readBody: ReadBody;
  takeIn: TakeIn;
  clock: Clock;
  metrics: Metrics;
}): Middleware {
  const verify = github.verifier(deps.secrets);
  return async (ctx, next) => {
    if (ctx.path !== WEBHOOK_PATH) return await next();
    try {
      const form = isForm(ctx.method, ctx.get('Content-Type'));
      const incoming = { header: (name: string) => ctx.get(name), token: '' };
      const { id, event: said } = github.readHeaders(incoming);
      const body = textOf(await deps.readBody(ctx.req, verify(incoming, deps.clock.now())));
      const text = form ? payloadOfForm(body) : body;
      const payload = parsePayload(text);
      const described = github.describe(said, payload);
      const { event } = described;
      const { isNew, copyOf } = await deps.takeIn({
        id,
        ...described,
        payload: text,
        digest: bodyDigest(event, payload, text),
        receivedAt: deps.clock.now(),
      });

      const label = DEPLOYING_EVENTS.has(event) ? event : 'other';
      deps.metrics.deliveries.inc({ event: label, result: isNew ? 'accepted' : 'duplicate' });
      ctx.status = 202;
      ctx.body = { delivery: id, duplicate: !isNew, ...(copyOf === undefined ? {} : { copyOf }) };
    } catch (error) {
      const code = error instanceof MainsheetError ? error.code : 'internal';
      deps.metrics.rejected.inc({ code });
      // What is left of a refused body is not worth reading, so the connection cannot be used again.
      if (!ctx.req.complete) ctx.set('Connection', 'close');
      throw error;
    }
  };
}

/** Whether the body is a form. Throws ProblemError 405 or 415. */
function isForm(method: string, contentType: string): boolean {
  if (method !== 'POST') {
    throw new ProblemError(
      405,
      'method-not-allowed',
      `webhooks are sent with POST, not ${method}`,
      {
        headers: { Allow: 'POST' },
      },
    );
  }
  const type = contentType.split(';', 1)[0]?.trim().toLowerCase();
  if (type === 'application/x-www-form-urlencoded') return true;
  if (type === 'application/json') return false;
  throw new ProblemError(
    415,
    'unsupported-content-type',
    'the content type is neither application/json nor application/x-www-form-urlencoded',
    { hint: "choose application/json in the webhook's settings" },
  );
}

/** What was signed are bytes; what is read is text. They are the same thing only in UTF-8. */
function textOf(body: Buffer): string {
  if (isUtf8(body)) return body.toString('utf8');
  throw new ProblemError(400, 'invalid-encoding', 'the body is not UTF-8');
}

/**
 * GitHub's form content type puts the JSON into the field `payload`, and nothing else is there: what people write into a JSON
 * body never makes it such a form, whatever the content type says, which is not signed.
 */
function payloadOfForm(body: string): string {
  const value = /^payload=([^&]*)$/.exec(body)?.[1];
  if (value === undefined) {
    throw new ProblemError(400, 'payload-missing', 'the form is not the one field payload');
  }
  try {
    return decodeURIComponent(value.replaceAll('+', ' '));
  } catch (error) {
    throw new ProblemError(400, 'invalid-form', 'the field payload is not percent-encoded UTF-8', {
      cause: error,
    });
  }
}

function parsePayload(text: string): Json {
  let payload: Json;
  try {
    payload = JSON.parse(text) as Json;
  } catch (error) {
    throw new ProblemError(400, 'invalid-json', 'the payload is not valid JSON', { cause: error });
  }
  if (typeof payload !== 'object' || payload === null || Array.isArray(payload)) {
    throw new ProblemError(400, 'invalid-payload', 'the payload is not a JSON object');
  }
  return payload;
}
