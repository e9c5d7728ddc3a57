import type { Json } from '../model/event.ts';
import { chat } from './chat.ts';

const COLOURS = { good: 'Good', bad: 'Attention', neutral: 'Default' } as const;

/**
 * An Adaptive Card for a workflow of Microsoft Teams, "When a Teams webhook request is received":
 * https://learn.microsoft.com/connectors/teams/#microsoft-teams-webhook. All of it is text runs, which know no Markdown, so that
 * there is nothing to escape: https://learn.microsoft.com/adaptive-cards/authoring-cards/text-features
 */
export const teams = chat('teams', {
  escape: (value) => value,
  body: ({ title, text, facts, url, mood }) => ({
    type: 'message',
    attachments: [
      {
        contentType: 'application/vnd.microsoft.card.adaptive',
        contentUrl: null,
        content: {
          $schema: 'http://adaptivecards.io/schemas/adaptive-card.json',
          type: 'AdaptiveCard',
          version: '1.4',
          body: [
            lineOf({ text: title, weight: 'Bolder', size: 'Large', color: COLOURS[mood] }),
            ...(text === undefined ? [] : [lineOf({ text })]),
            ...facts.map(({ name, value }) =>
              lineOf({ text: `${name}: `, weight: 'Bolder' }, { text: value }),
            ),
          ],
          ...(url === undefined
            ? {}
            : { actions: [{ type: 'Action.OpenUrl', title: 'Open the run', url }] }),
        },
      },
    ],
  }),
});

function lineOf(...runs: { text: string; [style: string]: string }[]): Json {
  return { type: 'RichTextBlock', inlines: runs.map((run) => ({ type: 'TextRun', ...run })) };
}
