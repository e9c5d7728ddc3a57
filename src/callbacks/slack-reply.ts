import { cleanText } from '../lib/clean-text.ts';
import { cutText } from '../lib/cut-text.ts';
import { RetryableError, TerminalError } from '../lib/errors.ts';
import type { Json } from '../model/event.ts';
import { isReplyUrl } from '../sources/slack-press.ts';
import { callbackKind } from './kind.ts';
import { wellFormed } from './fields.ts';
import { askedPause, isBusy, request } from './post.ts';
import { escape, section } from './slack.ts';

/** What is said to a person alone whose press of a button in Slack was refused. */
export interface SlackReplyCallback {
  kind: 'slack-reply';
  /** The press, with which stands where to answer: who has that URL can post into the channel. */
  delivery: string;
  /** Plain text. */
  text: string;
}

interface Rendered {
  kind: 'slack-reply';
  url: string;
  body: Json;
}

const MOST_TEXT = 1000;

/** https://docs.slack.dev/interactivity/handling-user-interaction#message_responses */
export const slackReply = callbackKind<SlackReplyCallback, Rendered>({
  kind: 'slack-reply',
  title: 'Answer in Slack',
  target: ({ delivery }) => `slack-reply:${delivery}`,
  tells: () => 'refused',

  async render({ delivery, text }, _entry, { store }) {
    const stored = (await store.inbox.callbacks([delivery])).get(delivery);
    const { url } = JSON.parse(stored ?? '{}') as { url?: unknown };
    if (typeof url !== 'string' || !isReplyUrl(url)) {
      throw new TerminalError('slack-no-reply', 'Slack did not say where to answer');
    }
    const said = escape(cutText(cleanText(text), MOST_TEXT));
    const answer = { response_type: 'ephemeral', replace_original: false };
    return {
      kind: 'slack-reply',
      url,
      body: wellFormed({ ...answer, text: said, blocks: [section(said)] }),
    };
  },

  async send({ url, body }, way) {
    const response = await request({ url, body: JSON.stringify(body) }, way, 'interaction');
    await response.body?.cancel().catch(() => {});
    if (response.ok) return {};
    const { status } = response;
    const message = `Slack answered ${status} to the reply`;
    if (status >= 400 && !isBusy(status)) {
      throw new TerminalError('slack-expired', `${message}: it takes one for 30 minutes`);
    }
    const retryAfterMs = askedPause(response, way.clock.now());
    throw new RetryableError('slack-unavailable', message, { retryAfterMs });
  },
});
