import type { Json } from '../model/event.ts';
import type { ChatPress } from '../model/hook.ts';
import { textAt } from './signature.ts';

const ID = /^[A-Z\d]{2,40}$/;
const TIMESTAMP = /^\d{10}\.\d{6}$/;
/** Characters of an action's id: https://docs.slack.dev/reference/block-kit/block-elements/button-element */
const MOST_ACTION = 255;
/** Ours are much shorter than Slack's most. */
const MOST_VALUE = 100;
const MOST_URL = 2000;

/**
 * The button that a verified form of Slack tells of, and the URL at which the person can be answered; undefined for every other
 * interaction. What else Slack tells, tokens too, is left out.
 * https://docs.slack.dev/reference/interaction-payloads/block_actions-payload
 */
export function readSlackPress(
  form: Json,
): { press: ChatPress; replyTo: string | undefined } | undefined {
  const told = parsed(textAt(form, 'payload'));
  const button = buttonIn(told);
  if (textAt(told, 'type') !== 'block_actions' || button === undefined) return undefined;
  const action = textAt(button, 'action_id') ?? '';
  const value = textAt(button, 'value') ?? '';
  const user = textAt(told, 'user', 'id') ?? '';
  const channel = textAt(told, 'channel', 'id') ?? '';
  const message = textAt(told, 'message', 'ts') ?? '';
  if (!ID.test(user) || !ID.test(channel) || !TIMESTAMP.test(message)) return undefined;
  if (action.length > MOST_ACTION || value.length > MOST_VALUE) return undefined;
  const teams = [textAt(told, 'user', 'team_id'), textAt(told, 'team', 'id')].map((team) =>
    team !== undefined && ID.test(team) ? team : null,
  );
  const url = textAt(told, 'response_url');
  const replyTo = url !== undefined && isReplyUrl(url) ? url : undefined;
  return { press: { action, value, user, teams, channel, message }, replyTo };
}

/** Whether a URL is one at which Slack takes answers to interactions: at that host and nowhere else. */
export function isReplyUrl(text: string): boolean {
  const url = URL.parse(text);
  const isPlain = url?.username === '' && url.password === '' && text.length <= MOST_URL;
  return isPlain && url.origin === 'https://hooks.slack.com';
}

/** The only action: a button has one. */
function buttonIn(told: Json): Json | undefined {
  if (typeof told !== 'object' || told === null || Array.isArray(told)) return undefined;
  const { actions } = told;
  return Array.isArray(actions) && actions.length === 1 ? actions[0] : undefined;
}

function parsed(text = 'null'): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return null;
  }
}
