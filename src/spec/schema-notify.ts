import * as z from 'zod';
import type { NotifySpec } from '../model/deployment-spec.ts';
import { RUN_STATES, type RunState } from '../model/run.ts';
import { clientPayload, eventType } from './schema-dispatch.ts';
import {
  filled,
  hookId,
  oneOrMore,
  optional,
  problem,
  repositoryName,
  secretName,
  textUpTo,
  wait,
  webUrl,
} from './schema-fields.ts';

const dispatch = z
  .strictObject({
    repository: repositoryName.describe('The repository that hears of it: owner/name.'),
    'event-type': eventType.describe(
      'The event_type of the repository_dispatch. May hold ${{ … }}.',
    ),
    payload: optional(
      'The client_payload: at most ten keys, less than 64 KB. Strings in it may hold ${{ … }}.',
      clientPayload(10),
    ),
  })
  .transform(({ repository, 'event-type': type, payload = {} }) => ({
    kind: 'dispatch' as const,
    repository,
    eventType: type,
    payload,
  }));

const post = z.strictObject({
  url: webUrl('keep the URL in a secret: url: "${{ secrets.NAME }}"').describe(
    'Where it is sent. May hold ${{ … }}, secrets too.',
  ),
  secret: optional(
    'Name of the secret that signs it (Standard Webhooks); must be in "secrets".',
    secretName,
  ),
});

function request<Kind extends string>(kind: Kind) {
  return post.transform(({ url, secret }) => ({ kind, url, secret }));
}

const chat = z.strictObject({
  secret: secretName.describe(
    'Name of the secret that holds the URL of the incoming webhook; must be in "secrets".',
  ),
  text: optional('What is said beside the facts. May hold ${{ … }}.', filled(1500)),
});

function message<Kind extends string>(kind: Kind) {
  return chat.transform(({ secret, text }) => ({ kind, secret, text }));
}

/** Ids of channels, public and private, as Slack's Web API takes them: names may change. */
const CHANNEL = /^[CG][A-Z\d]{5,30}$/;

const slack = chat
  .extend({
    secret: chat.shape.secret.optional(),
    token: optional(
      'Name of the secret that holds the bot token of an app; must be in "secrets".',
      secretName,
    ),
    channel: optional(
      'Where the app posts: the id of the channel.',
      z.string().regex(CHANNEL, 'is no id of a channel, such as C0123456789'),
    ),
    steps: optional(
      'Whether each step gets a reply in the thread. Default: only one that fails.',
      z.boolean(),
    ),
    buttons: optional(
      'The id of the hook (sender: slack, with users) that hears of the buttons of the message. Default: it has none.',
      hookId,
    ),
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
  })
  .transform(({ secret, token = '', channel = '', text, steps = false, buttons }) =>
    secret === undefined
      ? { kind: 'slack-app' as const, token, channel, text, steps, buttons }
      : { kind: 'slack' as const, secret, text },
  );

/** One mailbox: nothing that a list, a comment or a header could begin with. */
const ADDRESS = /^[^\s@<>,;:"()[\]\\\p{Cc}]+@[^\s@<>,;:"()[\]\\\p{Cc}]+$/u;

const email = z
  .strictObject({
    to: oneOrMore(textUpTo(254).regex(ADDRESS, 'is no e-mail address'), 50).describe(
      'Who gets it.',
    ),
    text: optional('What is said beside the facts. May hold ${{ … }}.', filled(10_000)),
    batch: optional(
      'Gathers what comes in this time into one mail, such as 15m. Default: each has its own.',
      wait,
    ),
  })
  .transform(({ to, text, batch = 0 }) => ({ kind: 'email' as const, to, text, batchMs: batch }));

const KINDS = ['dispatch', 'webhook', 'cloudevents', 'slack', 'discord', 'teams', 'email'];

/** One written entry of `notify:`. */
export const notify = z
  .strictObject({
    on: optional(
      'Run states at which it is sent. Default: succeeded; all for a message that an app of Slack posts.',
      oneOrMore(z.enum(RUN_STATES), RUN_STATES.length),
    ),
    dispatch: optional('A repository_dispatch event at another repository.', dispatch),
    webhook: optional('A signed HTTP request.', request('webhook')),
    cloudevents: optional('The same as a CloudEvent, in structured mode.', request('cloudevents')),
    slack: optional('A message in a channel of Slack.', slack),
    discord: optional('A message in a channel of Discord.', message('discord')),
    email: optional('A mail, by the server of MAINSHEET_SMTP_URL.', email),
    teams: optional('A card in a channel or chat of Microsoft Teams.', message('teams')),
  })
  .transform(({ on, ...kinds }, context): NotifySpec => {
    const [entry, ...more] = Object.values(kinds).filter((one) => one !== undefined);
    if (entry !== undefined && more.length === 0) {
      const usual: RunState[] = entry.kind === 'slack-app' ? [...RUN_STATES] : ['succeeded'];
      return { ...entry, on: on ?? usual };
    }
    problem(
      context,
      `a notification is exactly one of ${KINDS.map((kind) => `"${kind}"`).join(', ')}`,
      'make an entry for each',
    );
    return z.NEVER;
  });
