import type { Json } from '../model/event.ts';
import { chat, type Announcement } from './chat.ts';

const SIGNS = {
  good: ':large_green_circle:',
  bad: ':red_circle:',
  neutral: ':white_circle:',
} as const;

/**
 * A message of Slack: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks. `text` is mrkdwn and what
 * notifications show.
 */
export const slack = chat('slack', { escape, body: slackBody });

/** A message, however it gets there. */
export function slackBody({ title, text, facts, url, mood }: Announcement) {
  const name = `*${escape(title)}*`;
  const heading = url === undefined ? name : `${name}  <${escape(url)}|Open the run>`;
  const fields = facts.map((fact) => mrkdwn(`*${fact.name}*\n${escape(fact.value)}`));
  const blocks: Json[] = [
    section(`${SIGNS[mood]} ${heading}`),
    ...(text === undefined ? [] : [section(text)]),
    { type: 'section', fields },
  ];
  return { text: escape(title), blocks, unfurl_links: false, unfurl_media: false };
}

export function section(text: string): Json {
  return { type: 'section', text: mrkdwn(text) };
}

/** `verbatim`: names and addresses in values become no mentions and links. */
function mrkdwn(text: string): Json {
  return { type: 'mrkdwn', text, verbatim: true };
}

/** https://docs.slack.dev/messaging/formatting-message-text#escaping */
export function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
