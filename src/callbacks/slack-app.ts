import { announcementOf } from './chat.ts';
import type { Way } from './contract.ts';
import { callbackKind } from './kind.ts';
import { goesBackTo, hasGate } from './check-buttons.ts';
import { fieldOf, wellFormed } from './fields.ts';
import { dueNotifications, entryOf, type NotifyCallback } from './notify.ts';
import { SLACK_API } from './slack-api.ts';
import { slackButtons } from './slack-buttons.ts';
import {
  changeMessage,
  findMessage,
  postMessage,
  type SlackBody,
  type SlackChannel,
} from './slack-messages.ts';
import { escape, slackBody } from './slack.ts';

/** One message for each run and entry of `notify`. */
export interface SlackAppCallback extends NotifyCallback<'slack-app'> {
  /** Whether no earlier state of the run was told. */
  isFirst: boolean;
  /** Whether people have to approve the run. */
  hasGate: boolean;
}

interface Rendered extends SlackChannel {
  kind: 'slack-app';
  url: string;
  body: SlackBody;
  run: string;
  notify: number;
  /** When the run was made, in milliseconds since the epoch: its message is no older. */
  since: number;
  isFirst: boolean;
  /** The message that it has, as far as is known. */
  message: number | undefined;
}

/** How far Slack's clock may be from ours. */
const SKEW_MS = 300_000;

/** Posted when a run begins, and changed as it goes on, so that a channel has one message a run. What is in it is read when it is sent. */
export const slackApp = callbackKind<SlackAppCallback, Rendered>({
  kind: 'slack-app',
  title: 'Message in Slack',
  due: (change) =>
    dueNotifications('slack-app', change).map((told) => ({
      ...told,
      isFirst: change.previous === undefined,
      hasGate: hasGate(change.run, change.spec),
    })),
  target: slackTarget,
  tells: ({ run }) => run.state,
  isState: true,

  async render({ run: then, notify, isFirst, hasGate: isGated }, entry, sources) {
    const { store, publicUrl } = sources;
    const run = (await store.runs.get(then.id)) ?? then;
    const from = await sources.notify(run, notify);
    const { token, channel, text, buttons } = entryOf(from.notify, 'slack-app');
    const said = announcementOf({ run, from, text, escape, publicUrl, at: entry.createdAt });
    const body = slackBody(said);
    if (buttons !== undefined) {
      const back = await goesBackTo(run, store);
      body.blocks.push(slackButtons(run, notify, { isGated, back }));
    }
    return {
      kind: 'slack-app',
      url: SLACK_API,
      token: sources.secret(token),
      channel,
      body: wellFormed(body),
      run: run.id,
      notify,
      since: run.createdAt - SKEW_MS,
      isFirst,
      message: await store.outbox.number(slackTarget({ run, notify })),
    };
  },

  pacedBy: ({ channel }) => SLACK_API + channel,

  send: async (message, way) => ({ id: await set(message, way) }),
  numbered: slackTarget,
});

/** The message first, then what is said in its thread. */
export function slackTarget(of: { run: { id: string }; notify: number }): string {
  return `slack-app:${of.run.id}:${of.notify}`;
}

/** Changes the message, or posts one where none is there to be changed: what a try before has posted is looked for first. */
async function set(message: Rendered, way: Way): Promise<number> {
  const { run, notify, since, body, message: known } = message;
  const mark = { run, notify };
  if (known !== undefined && (await changeMessage(message, { number: known, body, mark }, way))) {
    return known;
  }
  const mayBeThere = way.retried || (known === undefined && !message.isFirst);
  if (mayBeThere) {
    const isIt = (each: unknown) =>
      fieldOf(each, 'run') === run && fieldOf(each, 'notify') === notify;
    const number = await findMessage(message, { since }, isIt, way);
    const isOther = number !== undefined && number !== known;
    if (isOther && (await changeMessage(message, { number, body, mark }, way))) return number;
  }
  return await postMessage(message, { body, mark }, way);
}
