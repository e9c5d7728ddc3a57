import { RetryableError } from '../lib/errors.ts';
import type { Json } from '../model/event.ts';
import type { Way } from './contract.ts';
import { fieldOf } from './fields.ts';
import { callSlack, readSlack } from './slack-api.ts';

/** Where messages go, and as what. */
export interface SlackChannel {
  token: string;
  channel: string;
}

/** What a message is known by, in its metadata, which people do not see: https://docs.slack.dev/messaging/message-metadata */
export interface Mark {
  [name: string]: string | number;
}

/** What Slack shows. */
export interface SlackBody {
  [name: string]: Json;
}

const EVENT_TYPE = 'mainsheet_run';
/** Newest messages since a time that are looked through. */
const PER_PAGE = 200;
const MAX_PAGES = 5;
/** What Slack says of a message that can be changed no more. */
const UNCHANGEABLE = ['message_not_found', 'cant_update_message', 'edit_window_closed'];

/** Posts a message and gives its number. https://docs.slack.dev/reference/methods/chat.postMessage */
export async function postMessage(
  { token, channel }: SlackChannel,
  { body, mark, thread }: { body: SlackBody; mark: Mark; thread?: number },
  way: Way,
): Promise<number> {
  const where = { channel, ...(thread === undefined ? {} : { thread_ts: timestampOf(thread) }) };
  const message = JSON.stringify({ ...where, ...body, metadata: metadataOf(mark) });
  const answer = await callSlack({ method: 'chat.postMessage', token, body: message }, way);
  const number = numberOf(fieldOf(answer, 'ts'));
  if (number !== undefined) return number;
  throw new RetryableError('slack-unavailable', 'Slack did not say which message it has made');
}

/** False when it is gone, or may be changed no more. https://docs.slack.dev/reference/methods/chat.update */
export async function changeMessage(
  { token, channel }: SlackChannel,
  { number, body, mark }: { number: number; body: SlackBody; mark: Mark },
  way: Way,
): Promise<boolean> {
  const where = { channel, ts: timestampOf(number) };
  const message = JSON.stringify({ ...where, ...body, metadata: metadataOf(mark) });
  const called = { method: 'chat.update', token, body: message, expected: UNCHANGEABLE };
  return typeof (await callSlack(called, way)) !== 'string';
}

/**
 * The messages of a channel since `since` (milliseconds since the epoch), or of a thread, that have a mark of ours, among the newest
 * 1,000, as Slack has no idempotency keys. `isIt` ends the search.
 * https://docs.slack.dev/reference/methods/conversations.history
 */
export async function findMessage(
  { token, channel }: SlackChannel,
  where: { since: number } | { thread: number },
  isIt: (mark: unknown) => boolean,
  way: Way,
): Promise<number | undefined> {
  const [method, place] =
    'thread' in where
      ? ['conversations.replies', { ts: timestampOf(where.thread) }]
      : ['conversations.history', { oldest: String(Math.max(0, Math.floor(where.since / 1000))) }];
  const limits = { limit: String(PER_PAGE), include_all_metadata: 'true' };
  let cursor = {};
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const args = { channel, ...place, ...limits, ...cursor };
    const answer = await readSlack({ method, token, args }, way);
    const messages: unknown = fieldOf(answer, 'messages');
    if (!Array.isArray(messages)) {
      throw new RetryableError('slack-unavailable', 'Slack gave no list of messages');
    }
    const found: unknown = messages.find((each) => isIt(markOf(each)));
    if (found !== undefined) return numberOf(fieldOf(found, 'ts'));
    const next = fieldOf(fieldOf(answer, 'response_metadata'), 'next_cursor');
    if (typeof next !== 'string' || next === '') return undefined;
    cursor = { cursor: next };
  }
  return undefined;
}

function metadataOf(mark: Mark) {
  return { event_type: EVENT_TYPE, event_payload: mark };
}

function markOf(message: unknown): unknown {
  const metadata = fieldOf(message, 'metadata');
  return fieldOf(metadata, 'event_type') === EVENT_TYPE
    ? fieldOf(metadata, 'event_payload')
    : undefined;
}

/** A message's timestamp, which is its id in the channel, without the point: microseconds since the epoch. */
export function numberOf(timestamp: unknown): number | undefined {
  const isOne = typeof timestamp === 'string' && /^\d{10}\.\d{6}$/.test(timestamp);
  return isOne ? Number(timestamp.replace('.', '')) : undefined;
}

function timestampOf(number: number): string {
  const digits = String(number);
  return `${digits.slice(0, -6)}.${digits.slice(-6)}`;
}
