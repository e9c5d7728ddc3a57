import { Webhook } from 'standardwebhooks';
import { isoTime } from '../lib/clock.ts';
import { TerminalError } from '../lib/errors.ts';
import type { Json } from '../model/event.ts';
import { IMPORTANCE } from '../model/importance.ts';
import type { Run } from '../model/run.ts';
import { renderUrl } from '../spec/render-url.ts';
import type { CallbackKind, Way } from './contract.ts';
import {
  dueNotifications,
  entryOf,
  notifyTarget,
  rendering,
  type NotifyCallback,
} from './notify.ts';
import { postJson } from './post.ts';

interface Rendered {
  kind: 'webhook';
  id: string;
  url: string;
  key: string | undefined;
  body: Json;
}

/** A signed HTTP request (Standard Webhooks). */
export const webhook: CallbackKind<NotifyCallback<'webhook'>, Rendered> = {
  kind: 'webhook',
  due: (change) => dueNotifications('webhook', change),
  target: notifyTarget,
  tells: ({ run }) => run.state,
  importance: () => IMPORTANCE.notification,
  payer: () => undefined,
  waitsForOtherRuns: true,

  async render({ run, notify: position }, entry, sources) {
    const from = await sources.notify(run, position);
    const notify = entryOf(from.notify, 'webhook');
    const url = rendering(from, () => renderUrl(notify.url, from.context));
    return {
      kind: 'webhook',
      // The same id for every attempt, so that the receiver can tell a repetition: https://www.standardwebhooks.com
      id: `msg_${run.id}_${entry.id}`,
      url,
      key: notify.secret === undefined ? undefined : sources.secret(notify.secret),
      body: bodyOf(run, sources.publicUrl, entry.createdAt),
    };
  },

  async send(message, way) {
    await post(message, way);
    return {};
  },

  permissions: [],
};

/**
 * Posts a message as JSON with the headers of Standard Webhooks (https://www.standardwebhooks.com): `webhook-id`, the same for every
 * try, `webhook-timestamp`, the time of this try (receivers refuse what is older than five minutes), and, with a key,
 * `webhook-signature`. A key `whsec_…` is base64, as the standard writes it; any other key counts as its own bytes.
 * Throws as `postJson`, and TerminalError `webhook-key`.
 */
async function post(message: Rendered, way: Way): Promise<void> {
  const body = JSON.stringify(message.body);
  const headers = signedHeaders(message, body, way.clock.now());
  await postJson({ url: message.url, headers, body }, way);
}

function signedHeaders({ id, key }: Rendered, body: string, now: number): Record<string, string> {
  const headers = {
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(now / 1000)),
  };
  return key === undefined
    ? headers
    : { ...headers, 'webhook-signature': signerOf(key).sign(id, new Date(now), body) };
}

function signerOf(key: string): Webhook {
  try {
    return key.startsWith('whsec_')
      ? new Webhook(key)
      : new Webhook(Buffer.from(key), { format: 'raw' });
  } catch (cause) {
    throw new TerminalError('webhook-key', 'the key that is to sign the webhook is not one', {
      cause,
      hint: 'after `whsec_` there is to be base64; any other key must not be empty',
    });
  }
}

/** What a receiver is told. */
function bodyOf(run: Run, publicUrl: string | undefined, at: number): Json {
  return {
    type: `run.${run.state}`,
    timestamp: isoTime(at),
    data: {
      run: run.id,
      spec: run.spec,
      environment: run.environment,
      repository: run.repository,
      ref: run.ref,
      sha: run.sha,
      state: run.state,
      reason: run.reason,
      url: publicUrl === undefined ? null : `${publicUrl}/runs/${run.id}`,
    },
  };
}
