import { createHash } from 'node:crypto';
import { newId } from '../../lib/ids.ts';
import type { Event } from '../../model/event.ts';
import { hookEventName, type ChatPress, type Hook } from '../../model/hook.ts';
import { messageOfValue, pressOfAction } from '../../model/message-press.ts';
import { readSlackPress } from '../../sources/slack-press.ts';
import type { IncomingDelivery } from '../../store/inbox.ts';
import type { VerifiedRequest } from './to-delivery.ts';

const INTERACTION = 'interaction';

/**
 * What is stored of a request to a hook for the buttons of messages: what was pressed, and apart from it, where no page shows it, the
 * URL at which the person can be answered. The same signed body makes nothing new.
 */
export function toPressDelivery(
  { id }: Pick<Hook, 'id'>,
  request: VerifiedRequest,
): IncomingDelivery {
  const { context, bytes, signed, now } = request;
  const { press, replyTo } = readSlackPress(context.body) ?? {};
  const event = hookEventName(id);
  const type = pressOfAction(press?.action) ?? INTERACTION;
  const digest = createHash('sha256').update(`${event}\n${signed}\n`).update(bytes);
  return {
    id: `${id}.${newId(now)}`,
    event,
    action: type,
    repository: undefined,
    queue: event,
    payload: JSON.stringify({ hook: id, type, inputs: {}, body: null, press: press ?? null }),
    receivedAt: now,
    ...(replyTo === undefined ? {} : { callback: JSON.stringify({ url: replyTo }) }),
    ...(signed === undefined ? {} : { digest: digest.digest('base64url') }),
  };
}

/** What such a request means, by whom the hook knows now: `hook` is as it is configured, if it still is. */
export function pressEvent(
  id: string,
  hook: Pick<Hook, 'people'> | undefined,
  told: ChatPress | null,
): Event {
  const press = pressOfAction(told?.action);
  const of = messageOfValue(told?.value);
  if (told === null || press === undefined || of === undefined) {
    const reason = 'it is no press of a button of a message about a run';
    return { kind: 'other', name: 'hook', action: undefined, repository: undefined, reason };
  }
  const { user, channel, message } = told;
  const by = personOf(id, hook?.people, told);
  return { kind: 'message-press', press, hook: id, user, by, of, channel, message };
}

/** In another workspace the same id may be another person's. */
function personOf(
  id: string,
  people: Hook['people'],
  { user, teams }: ChatPress,
): { login: string } | { unknown: string } {
  if (people === undefined) return { unknown: `the hook ${id} is not for buttons any more` };
  const [ofPerson, ofMessage] = teams;
  if (ofPerson !== people.team || (ofMessage ?? people.team) !== people.team) {
    return { unknown: `only people of the workspace ${people.team} may, in its channels` };
  }
  const login = Object.hasOwn(people.users, user) ? people.users[user] : undefined;
  return login === undefined
    ? { unknown: `the hook ${id} names no GitHub user for them` }
    : { login };
}
