import * as z from 'zod';
import { hookId, optional, problem, secretName } from '../schema-fields.ts';
import { message, texts } from './chat.ts';
import type { NotifyForm } from './contract.ts';

/** Ids of channels, public and private, as Slack's Web API takes them: names may change. */
const CHANNEL = /^[CG][A-Z\d]{5,30}$/;

const schema = message
  .extend({
    secret: message.shape.secret.optional(),
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

/** A message in a channel of Slack: by the channel's incoming webhook, or one message a run, changed as the run goes on, by an app. */
export const slack = {
  schema: schema.describe('A message in a channel of Slack.'),
  texts: { ...texts, token: 'secret' },
  example: 'slack: { secret: SLACK_URL }',
  followsRuns: 'slack-app',
} as const satisfies NotifyForm;
