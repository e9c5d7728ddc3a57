import { Webhook } from 'standardwebhooks';
import { TerminalError } from '../lib/errors.ts';
import type { Json } from '../model/event.ts';
import type { Run } from '../model/run.ts';
import { renderUrl } from '../spec/render-url.ts';
import type { CallbackKind, Way } from './contract.ts';
import { callbackKind } from './kind.ts';
import { entryOf, notification, rendering, type NotifyCallback } from './notify.ts';
import { postJson } from './post.ts';

type PostKind = 'webhook' | 'cloudevents';

/** What is posted. */
export interface SignedPost<Kind> {
  kind: Kind;
  id: string;
  url: string;
  key: string | undefined;
  body: Json;
}

/** How a change is written. */
interface Format {
  title?: string;
  contentType: string;
  /** `id`: the same for each try. `at`: when the run changed, in milliseconds since the epoch. */
  body(change: { run: Run; id: string; at: number; publicUrl: string | undefined }): Json;
}

/** An HTTP request to a URL that the spec names, signed as Standard Webhooks say. */
export function signedPost<Kind extends PostKind>(
  kind: Kind,
  format: Format,
): CallbackKind<NotifyCallback<Kind>, SignedPost<Kind>> {
  return callbackKind<NotifyCallback<Kind>, SignedPost<Kind>>({
    ...notification(kind),
    ...(format.title !== undefined && { title: format.title }),

    async render({ run, notify: position }, entry, sources) {
      const from = await sources.notify(run, position);
      const notify = entryOf<PostKind>(from.notify, kind);
      const url = rendering(from, () => renderUrl(notify.url, from.context));
      // The same id for every attempt, so that the receiver can tell a repetition: https://www.standardwebhooks.com
      const id = `msg_${run.id}_${entry.id}`;
      const { publicUrl } = sources;
      return {
        kind,
        id,
        url,
        key: notify.secret === undefined ? undefined : sources.secret(notify.secret),
        body: format.body({ run, id, at: entry.createdAt, publicUrl }),
      };
    },

    async send(message, way) {
      await postSigned(message, format.contentType, way);
      return {};
    },
  });
}

/**
 * Posts a message as JSON with the headers of Standard Webhooks (https://www.standardwebhooks.com): `webhook-id`, the same for every
 * try, `webhook-timestamp`, the time of this try (receivers refuse what is older than five minutes), and, with a key,
 * `webhook-signature`. A key `whsec_…` is base64, as the standard writes it; any other key counts as its own bytes.
 * Throws as `postJson`, and TerminalError `webhook-key`.
 */
export async function postSigned(
  message: SignedPost<string>,
  contentType: string,
  way: Way,
): Promise<void> {
  const body = JSON.stringify(message.body);
  const headers = {
    'content-type': contentType,
    ...signedHeaders(message, body, way.clock.now()),
  };
  await postJson({ url: message.url, headers, body }, way);
}

function signedHeaders(
  { id, key }: SignedPost<string>,
  body: string,
  now: number,
): Record<string, string> {
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
