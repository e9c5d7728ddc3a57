import type { Middleware } from 'koa';
import type { Clock } from '../lib/clock.ts';
import { describeError } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import { describePayload } from '../github/describe-delivery.ts';
import { verifySignature } from '../github/verify.ts';
import type { Json } from '../model/event.ts';
import type { IncomingDelivery } from '../store/inbox.ts';
import type { Metrics } from './metrics.ts';
import { ProblemError } from './problem.ts';
import { createReadBody } from './read-body.ts';

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
  accept: (delivery: IncomingDelivery) => Promise<boolean>;
  onAccepted: () => void;
  clock: Clock;
  logger: Logger;
  metrics: Metrics;
}): Middleware {
  const readBody = createReadBody();

  return async (ctx, next) => {
    if (ctx.path !== WEBHOOK_PATH) return await next();
    try {
      const form = isForm(ctx.method, ctx.get('Content-Type'));
      const event = header(ctx.get('X-GitHub-Event'), 'X-GitHub-Event', EVENT);
      const id = header(ctx.get('X-GitHub-Delivery'), 'X-GitHub-Delivery', DELIVERY);
      const signature = ctx.get('X-Hub-Signature-256');
      if (signature === '') throw unsigned('the header X-Hub-Signature-256 is missing');

      const body = (await readBody(ctx.req)).toString('utf8');
      if (!(await verifySignature(deps.secrets, body, signature))) {
        throw unsigned('the signature does not match the body and any webhook secret');
      }
      const text = form ? payloadOfForm(body) : body;
      const payload = parsePayload(text);
      const isNew = await store({
        id,
        event,
        ...describePayload(event, payload),
        payload: text,
        receivedAt: deps.clock.now(),
      });

      deps.metrics.deliveries.inc({ event, result: isNew ? 'accepted' : 'duplicate' });
      ctx.status = 202;
      ctx.body = { delivery: id, duplicate: !isNew };
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
  throw new ProblemError(
    400,
    'header-missing',
    value === '' ? `the header ${name} is missing` : `the header ${name} is malformed`,
  );
}

function unsigned(detail: string): ProblemError {
  return new ProblemError(401, 'bad-signature', detail, {
    hint: "GITHUB_WEBHOOK_SECRET must be the secret in the webhook's settings on GitHub",
  });
}

/** GitHub's form content type puts the JSON into the field `payload`. */
function payloadOfForm(body: string): string {
  const payload = new URLSearchParams(body).get('payload');
  if (payload === null) {
    throw new ProblemError(400, 'payload-missing', 'the form has no field named payload');
  }
  return payload;
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
