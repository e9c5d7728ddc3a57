import { createHash } from 'node:crypto';
import { TerminalError } from '../../lib/errors.ts';
import { newId } from '../../lib/ids.ts';
import { hookEventName, type Hook } from '../../model/hook.ts';
import { serverDeliveries } from '../../sources/events.ts';
import type { IncomingDelivery } from '../../store/inbox.ts';
import { inId, type VerifiedRequest } from './to-delivery.ts';

/** Characters of all payloads that one body becomes: what all refs of a push have in common is stored with each. */
const MOST_CHARACTERS = 64 * 1024 * 1024;

/**
 * What is stored of a request of a git server: a delivery for each ref that it tells of, with the body as its payload. The
 * same signed body makes nothing new at any hook of the server. Throws TerminalError `payload-unreadable`.
 */
export function toServerDeliveries(
  hook: Pick<Hook, 'id'>,
  server: string,
  request: VerifiedRequest,
): IncomingDelivery[] {
  const { context, text, bytes, identity, signed, now } = request;
  const name = identity.id === undefined ? newId(now) : inId(identity.id);
  const found = serverDeliveries(server, context.body);
  if (found.length > 1 && found.length * text.length > MOST_CHARACTERS) {
    throw new TerminalError('payload-unreadable', 'the body is too large for so many refs');
  }
  return found.map(({ payload, ...about }, index) => {
    const digest = createHash('sha256').update(`${server}:\n${signed}\n${index}\n`).update(bytes);
    return {
      id: `${hook.id}.${name}${index === 0 ? '' : `.${index + 1}`}`,
      ...about,
      ...(about.repository === undefined ? { queue: hookEventName(hook.id) } : {}),
      payload: payload === context.body ? text : JSON.stringify(payload),
      receivedAt: now,
      ...(signed === undefined ? {} : { digest: digest.digest('base64url') }),
    };
  });
}
