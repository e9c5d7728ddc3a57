import { RetryableError, TerminalError } from '../lib/errors.ts';
import type { Way } from './contract.ts';
import { fieldOf } from './fields.ts';
import { askedPause, readSome, request } from './post.ts';

/** https://docs.slack.dev/apis/web-api */
export const SLACK_API = 'https://slack.com/api/';

/** Characters of an answer that are read. */
const MOST_ANSWER = 4_000_000;
/** What no further try changes: the message itself is refused. */
const REFUSED = new Set([
  'invalid_blocks',
  'invalid_blocks_format',
  'invalid_arguments',
  'msg_too_long',
]);

/**
 * Calls a method of Slack's Web API and gives its answer, or the word with which Slack refuses when it is among `expected`. Redirects
 * are not followed. Throws TerminalError `slack-invalid` when the message is refused, RetryableError (`slack-refused`,
 * `slack-unavailable`, and as `request`) for the rest, which is mended at Slack, with `retryAfterMs` where Slack says when.
 */
export async function callSlack(
  called: { method: string; token: string; body: string; type?: string; expected?: string[] },
  way: Way,
): Promise<unknown> {
  const { method, token, body, type = 'application/json; charset=utf-8' } = called;
  const headers = { authorization: `Bearer ${token}`, 'content-type': type };
  const response = await request({ url: SLACK_API + method, headers, body }, way, 'Web API');
  const answer = response.ok ? parsed(await readSome(response, MOST_ANSWER)) : undefined;
  await response.body?.cancel().catch(() => {});
  if (fieldOf(answer, 'ok') === true) return answer;
  const word = wordOf(answer);
  if (word !== undefined && called.expected?.includes(word) === true) return word;
  throw refusal(method, word, response, way);
}

/** One request that reads: those methods take forms. */
export async function readSlack(
  { args, ...called }: { method: string; token: string; args: Record<string, string> },
  way: Way,
): Promise<unknown> {
  const type = 'application/x-www-form-urlencoded';
  return await callSlack({ ...called, type, body: new URLSearchParams(args).toString() }, way);
}

function refusal(method: string, word: string | undefined, response: Response, way: Way): Error {
  const said = word ?? String(response.status);
  const message = `Slack answered ${said} to ${method}`;
  if (REFUSED.has(said)) return new TerminalError('slack-invalid', message);
  const retryAfterMs = askedPause(response, way.clock.now());
  if (word === undefined || ['ratelimited', 'rate_limited'].includes(word)) {
    return new RetryableError('slack-unavailable', message, { retryAfterMs });
  }
  const hint =
    'invite the app to the channel, and give its bot token the scopes chat:write and channels:history (groups:history in a private channel)';
  return new RetryableError('slack-refused', message, { retryAfterMs, hint });
}

/** Why Slack refuses; undefined for what is no answer of its API. */
function wordOf(answer: unknown): string | undefined {
  const word = fieldOf(answer, 'error');
  return typeof word === 'string' && /^[a-z_]{1,64}$/.test(word) ? word : undefined;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
