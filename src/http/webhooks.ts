import { isUtf8 } from 'node:buffer';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Intake } from '../controller/intake/intake.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import { deliveryDigest } from '../sources/github/delivery-digest.ts';
import { DEPLOYING_EVENTS } from '../sources/github/event-shape.ts';
import { github } from '../sources/github/source.ts';
import { GITHUB_HEADERS, keptHeaders } from '../sources/kept-headers.ts';
import type { Json } from '../model/event.ts';
import type { IncomingDelivery } from '../store/inbox.ts';
import { clientOf } from './client-address.ts';
import type { Metrics } from './metrics.ts';
import { headerOf, send, sendProblem } from './plain.ts';
import { ProblemError } from './problem.ts';
import type { ReadBody } from './read-body.ts';
import type { Refusals } from './refusals.ts';
import type { TakeIn } from './take-in.ts';

const WEBHOOK_PATH = '/webhooks/v1/github';
/** With an origin or a query, too. */
const TARGET =
  /^(?:https?:\/\/(?:[\w.-]+|\[[\da-f:.]+\])(?::\d+)?)?\/webhooks\/v1\/github(?:$|[?#])/i;

/** Answers the requests of webhooks. Never rejects. */
export type WebhookHandler = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

/** Whether a request's target is the webhooks'. */
export function isWebhook(target: string | undefined): boolean {
  return TARGET.test(target ?? '');
}

/**
 * `POST /webhooks/v1/github`: bytes in, 202 out, and in between one commit (G1). Headers are checked before the body is
 * read, the signature before it is parsed; nothing that fails either is stored.
 */
export function createWebhookHandler(deps: {
  secrets: readonly string[];
  readBody: ReadBody;
  takeIn: TakeIn;
  settle: Intake['settle'];
  /** Throws what is answered instead while the server is being stopped. */
  turnAway: () => void;
  /** Whose `X-Forwarded-For` counts. */
  isProxy: (address: string) => boolean;
  /** Whether GitHub may send from an address; undefined: from any. */
  isFromGitHub: ((address: string) => boolean) | undefined;
  refusals: Refusals;
  clock: Clock;
  logger: Logger;
  metrics: Metrics;
}): WebhookHandler {
  const { clock, metrics } = deps;
  const verify = github.verifier(deps.secrets);

  return async (request, response) => {
    try {
      deps.turnAway();
      const tooMany = deps.refusals.check(() => clientOf(request, deps.isProxy));
      if (tooMany !== undefined) return refuse(tooMany);
      checkAddress(request);
      send(response, 202, await take(request));
    } catch (error) {
      refuse(error);
    }

    function refuse(error: unknown): void {
      // As it says itself: GitHub lists its deliveries by it.
      const said = headerOf(request, 'X-GitHub-Delivery');
      const delivery = /^[\w-]{1,100}$/.test(said) ? said : undefined;
      const about = { path: WEBHOOK_PATH, ...(delivery === undefined ? {} : { delivery }) };
      deps.refusals.note(clientOf(request, deps.isProxy), about, error);
      sendProblem(request, response, { error, path: WEBHOOK_PATH, logger: deps.logger });
    }
  };

  /** Throws ProblemError 403. */
  function checkAddress(request: IncomingMessage): void {
    if (deps.isFromGitHub === undefined) return;
    if (deps.isFromGitHub(clientOf(request, deps.isProxy).address)) return;
    throw new ProblemError(403, 'address-refused', 'GitHub does not send from this address', {
      hint: 'GITHUB_WEBHOOK_ADDRESSES and MAINSHEET_TRUSTED_PROXIES say from where',
    });
  }

  async function take(request: IncomingMessage): Promise<object> {
    const { id, event, taken } = handOver(await read(request));
    const { isNew, copyOf } = await taken;
    const label = DEPLOYING_EVENTS.has(event) ? event : 'other';
    metrics.deliveries.inc({ event: label, result: isNew ? 'accepted' : 'duplicate' });
    return { delivery: id, duplicate: !isNew, ...(copyOf === undefined ? {} : { copyOf }) };
  }

  function handOver(delivery: IncomingDelivery) {
    return { id: delivery.id, event: delivery.event, taken: deps.takeIn(delivery) };
  }

  /** What it leaves is all that is kept of a request while it waits for the disk. */
  async function read(request: IncomingMessage): Promise<IncomingDelivery> {
    const incoming = { header: (name: string) => headerOf(request, name), token: '' };
    const form = isForm(request.method ?? '', incoming.header('Content-Type'));
    const { id, event: said } = github.readHeaders(incoming);
    const check = verify(incoming, clock.now());
    const bytes = await deps.readBody(request, check);
    const body = check.text ?? textOf(bytes);
    // The request holds the check until its answer.
    check.text = undefined;
    const text = form ? payloadOfForm(body) : body;
    const payload = parsePayload(text);
    const described = github.describe(said, payload);
    const { event } = described;
    return {
      id,
      ...described,
      payload: text,
      headers: keptHeaders(GITHUB_HEADERS, incoming.header),
      digest: deliveryDigest(event, incoming.header('X-Hub-Signature-256')),
      receivedAt: clock.now(),
      outcome: await deps.settle(event, payload, text.length),
    };
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
  } catch {
    // The parser repeats what it was given.
    throw new ProblemError(400, 'invalid-json', 'the payload is not valid JSON');
  }
  if (typeof payload !== 'object' || payload === null || Array.isArray(payload)) {
    throw new ProblemError(400, 'invalid-payload', 'the payload is not a JSON object');
  }
  return payload;
}
