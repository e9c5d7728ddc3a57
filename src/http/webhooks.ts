import { isUtf8 } from 'node:buffer';
import type { Middleware } from 'koa';
import type { Clock } from '../lib/clock.ts';
import { describeError } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import { bodyDigest } from '../github/body-digest.ts';
import { describePayload } from '../github/describe-delivery.ts';
import { DEPLOYING_EVENTS, whyAnotherEvent } from '../github/event-shape.ts';
import { checkSignature } from '../github/verify.ts';
import { isOwnId } from '../model/delivery.ts';
import type { Json } from '../model/event.ts';
import type { IncomingDelivery } from '../store/inbox.ts';
import type { Metrics } from './metrics.ts';
import { ProblemError } from './problem.ts';
import type { BodyCheck, ReadBody } from './read-body.ts';

const WEBHOOK_PATH = '/webhooks/v1/github';

/**
 * GitHub gives up after 10 seconds (https://docs.github.com/en/webhooks/using-webhooks/best-practices-for-using-webhooks#respond-within-10-seconds):
 * an answer after 8 still reaches it.
 */
const STORE_WITHIN_MS = 8000;

const EVENT = /^[a-z0-9_]{1,100}$/;
const DELIVERY = /^[\w-]{1,100}$/;

/**
 * `POST /webhooks/v1/github`: bytes in, 202 out, and in between one commit (G1). Headers are checked before the body is
 * read, the signature before it is parsed; nothing that fails either is stored.
 */
export function webhookRoute(deps: {
  secrets: readonly string[];
  readBody: ReadBody;
  accept: (delivery: IncomingDelivery) => Promise<boolean>;
  /** Of which delivery this one is a copy. */
  originalOf: (id: string) => Promise<string | undefined>;
  onAccepted: () => void;
  clock: Clock;
  logger: Logger;
  metrics: Metrics;
}): Middleware {
  return async (ctx, next) => {
    if (ctx.path !== WEBHOOK_PATH) return await next();
    try {
      const form = isForm(ctx.method, ctx.get('Content-Type'));
      const event = header(ctx.get('X-GitHub-Event'), 'X-GitHub-Event', EVENT);
      const id = header(ctx.get('X-GitHub-Delivery'), 'X-GitHub-Delivery', DELIVERY);
      if (isOwnId(id)) throw malformed('X-GitHub-Delivery');
      const check = signatureCheck(deps.secrets, ctx.get('X-Hub-Signature-256'));
      const body = textOf(await deps.readBody(ctx.req, check));
      const text = form ? payloadOfForm(body) : body;
      const payload = parsePayload(text);
      const mismatch = whyAnotherEvent(event, payload);
      if (mismatch !== undefined) throw anotherEvent(mismatch);
      const isNew = await store({
        id,
        event,
        ...describePayload(event, payload),
        payload: text,
        digest: bodyDigest(event, payload, text),
        receivedAt: deps.clock.now(),
      });

      const label = DEPLOYING_EVENTS.has(event) ? event : 'other';
      deps.metrics.deliveries.inc({ event: label, result: isNew ? 'accepted' : 'duplicate' });
      ctx.status = 202;
      const copyOf = isNew ? undefined : await deps.originalOf(id);
      ctx.body = { delivery: id, duplicate: !isNew, ...(copyOf === undefined ? {} : { copyOf }) };
    } catch (error) {
      const code = error instanceof ProblemError ? error.code : 'internal';
      deps.metrics.rejected.inc({ code });
      // What is left of a refused body is not worth reading, so the connection cannot be used again.
      if (!ctx.req.complete) ctx.set('Connection', 'close');
      throw error;
    }
  };

  async function store(delivery: IncomingDelivery): Promise<boolean> {
    const answered = new AbortController();
    const stored = deps.accept(delivery).then((isNew) => {
      // Also when the sender has been told otherwise by then: what is stored is worked on.
      if (isNew) deps.onAccepted();
      return isNew;
    });
    try {
      const late = deps.clock.sleep(STORE_WITHIN_MS, answered.signal);
      const outcome = await Promise.race([stored, late]);
      if (outcome !== undefined) return outcome;
      throw new Error(`the store did not answer within ${STORE_WITHIN_MS / 1000} seconds`);
    } catch (error) {
      deps.logger.error(
        { delivery: delivery.id, event: delivery.event, error: describeError(error) },
        'delivery could not be stored',
      );
      throw new ProblemError(503, 'not-stored', 'the delivery could not be stored', {
        cause: error,
        hint: 'redeliver it when Mainsheet is ready again; what was stored after all counts once',
        headers: { 'Retry-After': '10' },
      });
    } finally {
      stored.catch(() => undefined);
      answered.abort();
    }
  }
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

function header(value: string, name: string, pattern: RegExp): string {
  if (pattern.test(value)) return value;
  if (value !== '') throw malformed(name);
  throw new ProblemError(400, 'header-missing', `the header ${name} is missing`);
}

function malformed(name: string): ProblemError {
  return new ProblemError(400, 'header-missing', `the header ${name} is malformed`);
}

function unsigned(detail: string): ProblemError {
  return new ProblemError(401, 'bad-signature', detail, {
    hint: "GITHUB_WEBHOOK_SECRET must be the secret in the webhook's settings on GitHub",
  });
}

/** Throws at once when there is no signature, and at the end of a body of which it is not. */
function signatureCheck(secrets: readonly string[], signature: string): BodyCheck {
  if (signature === '') throw unsigned('the header X-Hub-Signature-256 is missing');
  const check = checkSignature(secrets, signature);
  if (check === undefined) throw unsigned('the header X-Hub-Signature-256 is malformed');
  return {
    update: (chunk) => check.update(chunk),
    pass() {
      if (check.matches()) return;
      throw unsigned('the signature does not match the body and any webhook secret');
    },
  };
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

/** The event's name is a header, which is not signed: it must not decide how the body is read. */
function anotherEvent(detail: string): ProblemError {
  return new ProblemError(400, 'event-mismatch', detail, {
    hint: 'X-GitHub-Event must name the event that GitHub made the body for',
  });
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
