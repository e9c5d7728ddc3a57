import { cleanLine, cleanText } from '../lib/clean-text.ts';
import { cutText } from '../lib/cut-text.ts';
import { TerminalError } from '../lib/errors.ts';
import type { Json } from '../model/event.ts';
import { hasEnded, type Step } from '../model/run.ts';
import type { Tables } from '../store/index.ts';
import type { OutboxEntry } from '../store/outbox.ts';
import { isNotify } from '../spec/notify/index.ts';
import { callbackKind } from './kind.ts';
import { tookOf } from './describe.ts';
import { fieldOf, wellFormed } from './fields.ts';
import { entryOf, type NotifyCallback } from './notify.ts';
import { SLACK_API } from './slack-api.ts';
import { slackTarget } from './slack-app.ts';
import { findMessage, postMessage, type SlackBody, type SlackChannel } from './slack-messages.ts';
import { escape, section } from './slack.ts';

interface SlackThreadCallback extends Omit<NotifyCallback<'slack-app'>, 'kind'> {
  kind: 'slack-thread';
  /** The step that has succeeded; undefined: the run has ended, and what was not told yet is. */
  step?: number;
}

interface Rendered extends SlackChannel {
  kind: 'slack-thread';
  url: string;
  run: string;
  /** The message whose thread it is. */
  thread: number;
  /** The first of the entries of which the reply tells. */
  entry: number;
  /** Of steps behind that one: the reply tells of those as well. */
  others: number[];
  /** Undefined: all was told. */
  body: SlackBody | undefined;
}

/** Characters of the end of a failed step's log. */
const LOG_LENGTH = 2500;
/** Steps of which one reply tells. */
const MOST_STEPS = 20;
const MOST_NAME = 200;
const MOST_REASON = 500;

/**
 * Replies to a run's message: where the spec asks, of each step that has succeeded, and when the run has ended of the step that failed,
 * with the end of its log. One tells of all steps that have ended by then, since Slack takes about a message a second in a channel.
 */
export const slackThread = callbackKind<SlackThreadCallback, Rendered>({
  kind: 'slack-thread',
  title: 'Replies in Slack',
  due: ({ run, spec }) =>
    spec.notify.flatMap((entry, notify) => {
      if (!isNotify(entry, 'slack-app') || !entry.on.includes(run.state)) return [];
      const isDue = run.state === 'failed' || (entry.steps && hasEnded(run.state));
      return isDue ? [{ kind: 'slack-thread', notify, run }] : [];
    }),
  dueStep: ({ run, spec, step }) =>
    spec.notify.flatMap((entry, notify) => {
      if (!isNotify(entry, 'slack-app') || !entry.steps) return [];
      // Else there may be no message yet.
      if (!entry.on.includes('queued') && !entry.on.includes('running')) return [];
      return [{ kind: 'slack-thread', notify, run, step: step.index }];
    }),
  target: slackTarget,
  tells: ({ run }) => run.state,

  async render({ run, notify, step }, entry, sources) {
    const { store } = sources;
    const from = await sources.notify(run, notify);
    const { token, channel, steps: isEach } = entryOf(from.notify, 'slack-app');
    const thread = await store.outbox.number(slackTarget({ run, notify }));
    if (thread === undefined) {
      throw new TerminalError('slack-no-message', 'the run has no message in Slack to reply to');
    }
    const replies = await repliesOf(store, entry);
    const waiting = replies.filter(({ id, state }) => id > entry.id && state === 'pending');
    const others = step === undefined ? [] : waiting.slice(0, MOST_STEPS - 1);
    const now = new Set([entry, ...others].map(stepOf));
    const before = new Set(replies.filter(({ state }) => state === 'sent').map(stepOf));
    const told = (await store.steps.ofRun(run.id)).filter(({ index, state, attempts }) => {
      if (step !== undefined) return now.has(index);
      return isEach ? attempts > 0 && !before.has(index) : state === 'failed';
    });
    return {
      kind: 'slack-thread',
      url: SLACK_API,
      token: sources.secret(token),
      channel,
      run: run.id,
      thread,
      entry: entry.id,
      others: others.map(({ id }) => id),
      // The last ones say how it ended.
      body: told.length === 0 ? undefined : await replyOf(run.id, told.slice(-MOST_STEPS), store),
    };
  },

  pacedBy: ({ channel }) => SLACK_API + channel,

  async send(message, way) {
    const { run, thread, entry, others, body } = message;
    if (body === undefined) return {};
    // A try before may have told of fewer: the others tell of themselves.
    let covers = others;
    const isIt = (each: unknown) => {
      const isOwn = fieldOf(each, 'run') === run && fieldOf(each, 'entry') === entry;
      if (isOwn) covers = others.filter((other) => other <= Number(fieldOf(each, 'last')));
      return isOwn;
    };
    if (way.retried && (await findMessage(message, { thread }, isIt, way)) !== undefined) {
      return { covers };
    }
    const mark = { run, entry, last: others.at(-1) ?? entry };
    await postMessage(message, { body, mark, thread }, way);
    return { covers };
  },
});

/** Replies that are due to the same message. */
async function repliesOf(
  { outbox }: Pick<Tables, 'outbox'>,
  { run, target }: Pick<OutboxEntry, 'run' | 'target'>,
): Promise<OutboxEntry[]> {
  const all = await outbox.ofRun(run);
  return all.filter((each) => each.target === target && stepOf(each) !== undefined);
}

function stepOf({ callback }: OutboxEntry): number | undefined {
  return callback.kind === 'slack-thread' ? (callback as SlackThreadCallback).step : undefined;
}

async function replyOf(
  run: string,
  steps: readonly Step[],
  { logs }: Pick<Tables, 'logs'>,
): Promise<SlackBody> {
  const blocks: Json[] = [];
  for (const step of steps) {
    blocks.push(section(titleOf(step)));
    const log = step.state === 'failed' ? await logs.end(run, step.index, LOG_LENGTH) : '';
    const end = cleanText(log).trimEnd().slice(-LOG_LENGTH).trimStart();
    if (end !== '') blocks.push(preformatted(end));
  }
  const text = steps.map(titleOf).join('\n');
  return wellFormed({ text, blocks, unfurl_links: false, unfurl_media: false });
}

function titleOf(step: Step): string {
  const { name, state, reason } = step;
  const why = reason === '' ? '' : `: ${shown(reason, MOST_REASON)}`;
  return `*${shown(name, MOST_NAME)}* ${state}${tookOf(step, ' in ')}${why}`;
}

function shown(text: string, length: number): string {
  return escape(cutText(cleanLine(text), length));
}

/** Text in which nothing is markup: https://docs.slack.dev/reference/block-kit/blocks/rich-text-block */
function preformatted(text: string): Json {
  const elements = [{ type: 'text', text }];
  return { type: 'rich_text', elements: [{ type: 'rich_text_preformatted', elements }] };
}
