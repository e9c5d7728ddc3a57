import { createHmac, randomUUID } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import { sign } from '@octokit/webhooks-methods';
import type { Json } from '../json.ts';
import { createJournal, type Journal } from './journal.ts';

export interface Hook {
  url: string;
  secret: string;
  /** What GitHub's API shows as its address; default `url`. */
  publicUrl?: string;
  /** Events it is subscribed to; default `push`, `release`, `workflow_run`. Crafted deliveries are sent regardless. */
  events?: readonly string[];
}

/** One webhook request that was sent. */
export interface Delivery {
  /** `X-GitHub-Delivery`: the same for every redelivery. */
  id: string;
  event: string;
  /** When it was sent, in milliseconds since the epoch, and how long the answer took. */
  at: number;
  tookMs: number;
  /** The answer's status; 0 when there was none. */
  status: number;
  /** The request's body as it was sent, and the answer's. */
  body: string;
  answer: string;
  /** Whether it was sent before. */
  redelivery: boolean;
}

export interface DeliveryOptions {
  id?: string;
  /** Signs with another secret; null sends no signature. */
  secret?: string | null;
  /** Added to GitHub's; undefined takes one away. */
  headers?: Record<string, string | undefined>;
  /** https://docs.github.com/en/webhooks/using-webhooks/creating-webhooks */
  contentType?: 'json' | 'form';
}

export interface Webhooks {
  deliveries: Journal<Delivery>;
  /** Sets the receiver; like a GitHub App, a forge has one. */
  hook: (hook: Hook) => void;
  receiver: () => Hook | undefined;
  /** Sends an event to the receiver if it is subscribed to it. */
  publish: (event: string, payload: Json) => Promise<void>;
  /** Sends whatever it is given; a string goes out as it is. */
  deliver: (event: string, payload: Json, options?: DeliveryOptions) => Promise<Delivery>;
  /** Sends a former delivery again, byte for byte, to the present receiver. */
  redeliver: (id: string) => Promise<Delivery>;
  close: () => void;
}

/** GitHub gives a receiver ten seconds: https://docs.github.com/en/webhooks/using-webhooks/best-practices-for-using-webhooks */
const TIMEOUT_MS = 10_000;
/** A forge has one webhook. */
export const HOOK_ID = 4711;

export function createWebhooks(options: {
  /** Whose hook it is: an App's id, or a repository's. */
  target: { type: 'integration' | 'repository'; id: string };
  /** How long a receiver may take over its answer, in milliseconds; default GitHub's ten seconds. */
  timeoutMs?: number | undefined;
}): Webhooks {
  const deliveries = createJournal<Delivery>(
    ({ event, id, status, answer }) => `${event} ${id} ${status} ${answer.slice(0, 100)}`,
  );
  const sent = new Map<string, { event: string; body: string; headers: Record<string, string> }>();
  const closing = new AbortController();
  let receiver: Hook | undefined;

  async function send(id: string, redelivery: boolean): Promise<Delivery> {
    const message = sent.get(id);
    if (message === undefined) throw new Error(`nothing was delivered as ${id}`);
    if (receiver === undefined) throw new Error('no receiver was set: call hook() first');
    const at = Date.now();
    const { status, answer } = await post(
      receiver.url,
      message,
      AbortSignal.any([closing.signal, AbortSignal.timeout(options.timeoutMs ?? TIMEOUT_MS)]),
    );
    const { event, body } = message;
    const delivery = { id, event, at, tookMs: Date.now() - at, status, body, answer, redelivery };
    deliveries.add(delivery);
    return delivery;
  }

  const deliver: Webhooks['deliver'] = async (event, payload, chosen = {}) => {
    const id = chosen.id ?? randomUUID();
    const json = typeof payload === 'string' ? payload : JSON.stringify(payload);
    const isForm = chosen.contentType === 'form';
    const body = isForm ? new URLSearchParams({ payload: json }).toString() : json;
    const secret = chosen.secret === undefined ? receiver?.secret : chosen.secret;
    const headers: Record<string, string | undefined> = {
      accept: '*/*',
      'content-type': isForm ? 'application/x-www-form-urlencoded' : 'application/json',
      'user-agent': 'GitHub-Hookshot/mainsheet-demo',
      'x-github-delivery': id,
      'x-github-event': event,
      'x-github-hook-id': String(HOOK_ID),
      'x-github-hook-installation-target-id': options.target.id,
      'x-github-hook-installation-target-type': options.target.type,
      ...(secret ? await signatures(secret, body) : {}),
      ...chosen.headers,
    };
    const kept = Object.entries(headers).filter(
      (entry): entry is [string, string] => entry[1] !== undefined,
    );
    sent.set(id, { event, body, headers: Object.fromEntries(kept) });
    return send(id, false);
  };

  return {
    deliveries,
    hook(hook) {
      receiver = hook;
    },
    receiver: () => receiver,
    async publish(event, payload) {
      const events = receiver?.events ?? ['push', 'release', 'workflow_run'];
      if (receiver !== undefined && events.includes(event)) await deliver(event, payload);
    },
    deliver,
    redeliver: (id) => send(id, true),
    close() {
      closing.abort();
      deliveries.close();
    },
  };
}

async function signatures(secret: string, body: string): Promise<Record<string, string>> {
  return {
    'x-hub-signature': `sha1=${createHmac('sha1', secret).update(body).digest('hex')}`,
    'x-hub-signature-256': await sign(secret, body),
  };
}

/** Not `fetch`: a receiver may answer and hang up before it has read everything, and that answer counts. */
function post(
  url: string,
  message: { body: string; headers: Record<string, string> },
  signal: AbortSignal,
): Promise<{ status: number; answer: string }> {
  return new Promise((resolve) => {
    const lost = (error: unknown) => resolve({ status: 0, answer: String(error) });
    const outgoing = httpRequest(url, {
      method: 'POST',
      agent: false,
      headers: { ...message.headers, 'content-length': Buffer.byteLength(message.body) },
      signal,
    });
    outgoing.on('error', lost);
    outgoing.on('response', (response) => {
      let answer = '';
      const done = () => resolve({ status: response.statusCode ?? 0, answer });
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (answer += chunk));
      response.on('end', done);
      response.on('error', done);
    });
    outgoing.end(message.body);
  });
}
