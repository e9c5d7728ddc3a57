import { cleanText } from '../lib/clean-text.ts';
import { cutText } from '../lib/cut-text.ts';
import { TerminalError } from '../lib/errors.ts';
import { formatDuration } from '../lib/duration.ts';
import type { Json } from '../model/event.ts';
import { IMPORTANCE } from '../model/importance.ts';
import { hasEnded, type Step } from '../model/run.ts';
import type { Tables } from '../store/index.ts';
import type { CallbackKind } from './contract.ts';
import { fieldOf, wellFormed } from './fields.ts';
import { entryOf, type NotifyCallback } from './notify.ts';
import { SLACK_API } from './slack-api.ts';
import { slackTarget } from './slack-app.ts';
import { findMessage, postMessage, type SlackBody, type SlackChannel } from './slack-messages.ts';
import { escape, section } from './slack.ts';

type SlackThreadCallback = Omit<NotifyCallback<'slack-app'>, 'kind'> & { kind: 'slack-thread' };

interface Rendered extends SlackChannel {
  kind: 'slack-thread';
  url: string;
  run: string;
  /** The message whose thread it is. */
  thread: number;
  replies: { step: number; body: SlackBody }[];
}

/** Characters of the end of a failed step's log. */
const LOG_LENGTH = 2500;
/** Steps of a run that get a reply: Slack takes about a message a second in a channel. */
const MOST_REPLIES = 20;
const MOST_NAME = 200;
const MOST_REASON = 500;

/** Replies to a run's message when it has ended: the step that failed with the end of its log, or each step when the spec asks. */
export const slackThread: CallbackKind<SlackThreadCallback, Rendered> = {
  kind: 'slack-thread',
  due: ({ run, spec }) =>
    spec.notify.flatMap((entry, notify) => {
      if (entry.kind !== 'slack-app' || !entry.on.includes(run.state)) return [];
      const isDue = run.state === 'failed' || (entry.steps && hasEnded(run.state));
      return isDue ? [{ kind: 'slack-thread', notify, run }] : [];
    }),
  target: slackTarget,
  tells: ({ run }) => run.state,
  importance: () => IMPORTANCE.notification,
  payer: () => undefined,

  async render({ run, notify }, _entry, sources) {
    const { store } = sources;
    const from = await sources.notify(run, notify);
    const { token, channel, steps: isEach } = entryOf(from.notify, 'slack-app');
    const thread = await store.runs.chatMessage(run.id, notify);
    if (thread === undefined) {
      throw new TerminalError('slack-no-message', 'the run has no message in Slack to reply to');
    }
    const steps = await store.steps.ofRun(run.id);
    const told = steps.filter(({ state, attempts }) =>
      isEach ? attempts > 0 : state === 'failed',
    );
    const replies = await Promise.all(
      // The last ones say how it ended.
      told.slice(-MOST_REPLIES).map(async (step) => ({
        step: step.index,
        body: wellFormed(await replyOf(run.id, step, store)),
      })),
    );
    const to = { token: sources.secret(token), channel };
    return { kind: 'slack-thread', url: SLACK_API, ...to, run: run.id, thread, replies };
  },

  pacedBy: ({ channel }) => SLACK_API + channel,

  async send(message, way) {
    const { run, thread } = message;
    // A try before may have come thus far.
    let mayBeThere = way.retried;
    for (const { step, body } of message.replies) {
      const isIt = (each: unknown) =>
        fieldOf(each, 'run') === run && fieldOf(each, 'step') === step;
      mayBeThere &&= (await findMessage(message, { thread }, isIt, way)) !== undefined;
      if (!mayBeThere) await postMessage(message, { body, mark: { run, step }, thread }, way);
    }
    return {};
  },

  permissions: [],
};

async function replyOf(
  run: string,
  step: Step,
  { logs }: Pick<Tables, 'logs'>,
): Promise<SlackBody> {
  const title = titleOf(step);
  const log = step.state === 'failed' ? await logs.end(run, step.index, LOG_LENGTH) : '';
  const end = cleanText(log).trimEnd().slice(-LOG_LENGTH).trimStart();
  return {
    text: title,
    blocks: [section(title), ...(end === '' ? [] : [preformatted(end)])],
    unfurl_links: false,
    unfurl_media: false,
  };
}

function titleOf({ name, state, reason, startedAt, finishedAt }: Step): string {
  const took =
    startedAt === undefined || finishedAt === undefined
      ? ''
      : ` in ${formatDuration(finishedAt - startedAt)}`;
  const why = reason === '' ? '' : `: ${escape(oneLine(reason, MOST_REASON))}`;
  return `*${escape(oneLine(name, MOST_NAME))}* ${state}${took}${why}`;
}

function oneLine(text: string, length: number): string {
  return cutText(text.replaceAll(/[\s\p{Cc}]+/gu, ' ').trim(), length);
}

/** Text in which nothing is markup: https://docs.slack.dev/reference/block-kit/blocks/rich-text-block */
function preformatted(text: string): Json {
  const elements = [{ type: 'text', text }];
  return { type: 'rich_text', elements: [{ type: 'rich_text_preformatted', elements }] };
}
