import { chat } from './chat.ts';

/** 0xRRGGBB. */
const COLOURS = { good: 0x2da44e, bad: 0xcf222e, neutral: 0x6e7781 } as const;

/**
 * A message of Discord: https://discord.com/developers/docs/resources/webhook#execute-webhook. `text` is its Markdown. Without
 * `wait` Discord would say 204 of a message that it does not keep.
 */
export const discord = chat('discord', {
  escape,
  query: { wait: 'true' },
  body: ({ title, text, facts, url, mood, time }) => ({
    embeds: [
      {
        title: escape(title),
        ...(text === undefined ? {} : { description: text }),
        ...(url === undefined ? {} : { url }),
        color: COLOURS[mood],
        fields: facts.map(({ name, value }) => ({ name, value: escape(value), inline: true })),
        timestamp: time,
      },
    ],
    // Whatever is in a text, it calls no one.
    allowed_mentions: { parse: [] },
  }),
});

/** A backslash takes the meaning from any punctuation. */
function escape(text: string): string {
  return text.replaceAll(/[!-/:-@[-`{-~]/g, String.raw`\$&`);
}
