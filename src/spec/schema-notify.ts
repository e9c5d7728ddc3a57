import * as z from 'zod';
import type { NotifySpec } from '../model/deployment-spec.ts';
import { RUN_STATES, type RunState } from '../model/run.ts';
import { clientPayload, eventType } from './schema-dispatch.ts';
import {
  hookId,
  oneOrMore,
  problem,
  repositoryName,
  secretName,
  wait,
  webUrl,
} from './schema-fields.ts';

const dispatch = z.strictObject({
  repository: repositoryName.describe('The repository that hears of it: owner/name.'),
  'event-type': eventType.describe('The event_type of the repository_dispatch. May hold ${{ … }}.'),
  payload: clientPayload(10)
    .describe(
      'The client_payload: at most ten keys, less than 64 KB. Strings in it may hold ${{ … }}.',
    )
    .optional(),
});

const post = z.strictObject({
  url: webUrl('keep the URL in a secret: url: "${{ secrets.NAME }}"').describe(
    'Where it is sent. May hold ${{ … }}, secrets too.',
  ),
  secret: secretName
    .describe('Name of the secret that signs it (Standard Webhooks); must be in "secrets".')
    .optional(),
});

const chat = z.strictObject({
  secret: secretName.describe(
    'Name of the secret that holds the URL of the incoming webhook; must be in "secrets".',
  ),
  text: z
    .string()
    .min(1, 'is empty')
    .max(1500, 'more than 1500 characters')
    .describe('What is said beside the facts. May hold ${{ … }}.')
    .optional(),
});

/** Ids of channels, public and private, as Slack's Web API takes them: names may change. */
const CHANNEL = /^[CG][A-Z\d]{5,30}$/;

const slack = chat
  .extend({
    secret: chat.shape.secret.optional(),
    token: secretName
      .describe('Name of the secret that holds the bot token of an app; must be in "secrets".')
      .optional(),
    channel: z
      .string()
      .regex(CHANNEL, 'is no id of a channel, such as C0123456789')
      .describe('Where the app posts: the id of the channel.')
      .optional(),
    steps: z
      .boolean()
      .describe('Whether each step gets a reply in the thread. Default: only one that fails.')
      .optional(),
    buttons: hookId
      .describe(
        'The id of the hook (sender: slack, with users) that hears of the buttons of the message. Default: it has none.',
      )
      .optional(),
  })
  .superRefine(({ secret, token, channel, steps, buttons }, context) => {
    const isApp = token !== undefined && channel !== undefined && secret === undefined;
    const ofApp = [token, channel, steps, buttons];
    const isWebhook = secret !== undefined && ofApp.every((one) => one === undefined);
    if (isApp || isWebhook) return;
    problem(
      context,
      'a message to Slack has either "secret", or "token" and "channel"',
      'slack: { secret: SLACK_URL }, or slack: { token: SLACK_BOT_TOKEN, channel: C0123456789 }',
    );
  });

/** One mailbox: nothing that a list, a comment or a header could begin with. */
const ADDRESS = /^[^\s@<>,;:"()[\]\\\p{Cc}]+@[^\s@<>,;:"()[\]\\\p{Cc}]+$/u;

const email = z.strictObject({
  to: oneOrMore(
    z.string().max(254, 'more than 254 characters').regex(ADDRESS, 'is no e-mail address'),
    50,
  ).describe('Who gets it.'),
  text: z
    .string()
    .min(1, 'is empty')
    .max(10_000, 'more than 10000 characters')
    .describe('What is said beside the facts. May hold ${{ … }}.')
    .optional(),
  batch: wait
    .describe(
      'Gathers what comes in this time into one mail, such as 15m. Default: each has its own.',
    )
    .optional(),
});

const KINDS = ['dispatch', 'webhook', 'cloudevents', 'slack', 'discord', 'teams', 'email'];

/** One written entry of `notify:`. */
export const notify = z
  .strictObject({
    on: oneOrMore(z.enum(RUN_STATES), RUN_STATES.length)
      .describe(
        'Run states at which it is sent. Default: succeeded; all for a message that an app of Slack posts.',
      )
      .optional(),
    dispatch: dispatch.describe('A repository_dispatch event at another repository.').optional(),
    webhook: post.describe('A signed HTTP request.').optional(),
    cloudevents: post.describe('The same as a CloudEvent, in structured mode.').optional(),
    slack: slack.describe('A message in a channel of Slack.').optional(),
    discord: chat.describe('A message in a channel of Discord.').optional(),
    email: email.describe('A mail, by the server of MAINSHEET_SMTP_URL.').optional(),
    teams: chat.describe('A card in a channel or chat of Microsoft Teams.').optional(),
  })
  .transform(({ on, ...kinds }, context): NotifySpec => {
    const [entry, ...more] = entriesOf(kinds, on);
    if (entry !== undefined && more.length === 0) return entry;
    problem(
      context,
      `a notification is exactly one of ${KINDS.map((kind) => `"${kind}"`).join(', ')}`,
      'make an entry for each',
    );
    return z.NEVER;
  });

interface Kinds {
  dispatch?: z.output<typeof dispatch> | undefined;
  webhook?: z.output<typeof post> | undefined;
  cloudevents?: z.output<typeof post> | undefined;
  slack?: z.output<typeof slack> | undefined;
  discord?: z.output<typeof chat> | undefined;
  teams?: z.output<typeof chat> | undefined;
  email?: z.output<typeof email> | undefined;
}

function entriesOf(written: Kinds, chosen: RunState[] | undefined): NotifySpec[] {
  const on: RunState[] = chosen ?? ['succeeded'];
  const entries: NotifySpec[] = [];
  const { dispatch: event } = written;
  if (event !== undefined) {
    const { repository, 'event-type': eventType, payload = {} } = event;
    entries.push({ kind: 'dispatch', on, repository, eventType, payload });
  }
  for (const kind of ['webhook', 'cloudevents'] as const) {
    const request = written[kind];
    if (request !== undefined) {
      entries.push({ kind, on, url: request.url, secret: request.secret });
    }
  }
  for (const kind of ['slack', 'discord', 'teams'] as const) {
    const message = written[kind];
    if (message?.secret !== undefined) {
      entries.push({ kind, on, secret: message.secret, text: message.text });
    }
  }
  const { token, channel, text, steps = false, buttons } = written.slack ?? {};
  if (token !== undefined && channel !== undefined) {
    const states = chosen ?? [...RUN_STATES];
    entries.push({ kind: 'slack-app', on: states, token, channel, text, steps, buttons });
  }
  const mail = written.email;
  if (mail !== undefined) {
    entries.push({ kind: 'email', on, to: mail.to, text: mail.text, batchMs: mail.batch ?? 0 });
  }
  return entries;
}
