import { cleanText } from '../lib/clean-text.ts';
import { isoTime } from '../lib/clock.ts';
import { cutText } from '../lib/cut-text.ts';
import { TerminalError } from '../lib/errors.ts';
import type { Run } from '../model/run.ts';
import { renderTemplate } from '../spec/expressions.ts';
import type { OutboxEntry } from '../store/outbox.ts';
import { factsOf } from './chat.ts';
import type { Sources } from './contract.ts';
import { labelOf, linkTo } from './describe.ts';
import { fieldOf } from './fields.ts';
import { callbackKind } from './kind.ts';
import {
  dueNotifications,
  entryOf,
  notification,
  rendering,
  type NotifyCallback,
} from './notify.ts';
import type { Mail } from './send-mail.ts';

interface EmailCallback extends NotifyCallback<'email'> {
  /** Milliseconds that it waits for others of its entry; 0: none. */
  batchMs: number;
}

interface Rendered {
  kind: 'email';
  /** The server without what it is asked with. */
  url: string;
  mail: Mail;
  covers: number[];
}

interface Part {
  title: string;
  time: string;
  text: string | undefined;
  facts: { name: string; value: string }[];
  url: string | undefined;
}

/** Changes of runs that one digest tells of; the next has the rest. */
const MOST_IN_DIGEST = 100;
const MAX_TEXT = 10_000;
/**
 * Between two mails of a server, so that a burst does not get the sender blocked: the least that large ones allow is 30 a minute.
 * https://learn.microsoft.com/en-us/office365/servicedescriptions/exchange-online-service-description/exchange-online-limits
 */
const PACE_MS = 2000;

/** An e-mail, of one change or, with `batch`, of all that came in that time. */
export const email = callbackKind<EmailCallback, Rendered>({
  ...notification('email'),
  due: (change) =>
    dueNotifications('email', change).map((callback) => {
      const { batchMs } = entryOf(change.spec.notify[callback.notify], 'email');
      return { ...callback, batchMs };
    }),
  delayMs: ({ batchMs }) => batchMs,

  async render(callback, entry, sources) {
    if (sources.smtp === undefined) {
      throw new TerminalError('smtp-missing', 'no mail server is set', {
        hint: 'set MAINSHEET_SMTP_URL',
      });
    }
    const others = callback.batchMs === 0 ? [] : await waitingBehind(entry, sources);
    const parts: Part[] = [];
    for (const each of [entry, ...others]) parts.push(await partOf(each, sources));
    const { notify } = await sources.notify(callback.run, callback.notify);
    const { to } = entryOf(notify, 'email');
    const runs = [callback, ...others.map((other) => other.callback as EmailCallback)];
    return {
      kind: 'email',
      url: sources.smtp.address,
      mail: {
        to,
        subject: subjectOf(runs.map(({ run }) => run)),
        text: parts.map(textOf).join('\n\n'),
        html: htmlOf(parts),
        // The same for each try, so that a mail program shows a repetition once.
        id: `${callback.run.id}.${entry.id}`,
      },
      covers: others.map(({ id }) => id),
    };
  },

  pacedBy: ({ url }) => url,
  paceMs: PACE_MS,

  async send({ mail, covers }, way) {
    await way.mail(mail);
    return { covers };
  },
});

async function waitingBehind(entry: OutboxEntry, { store }: Sources): Promise<OutboxEntry[]> {
  const later = await store.outbox.laterInTarget([entry]);
  return later.filter(({ state }) => state === 'pending').slice(0, MOST_IN_DIGEST - 1);
}

async function partOf({ callback, createdAt }: OutboxEntry, sources: Sources): Promise<Part> {
  const { run, notify: position } = callback as EmailCallback;
  const from = await sources.notify(run, position);
  const { text } = entryOf(from.notify, 'email');
  const said = rendering(from, () =>
    text === undefined ? '' : renderTemplate(text, from.context, cleanText),
  ).trim();
  return {
    title: titleOf(run),
    time: isoTime(createdAt),
    text: said === '' ? undefined : cutText(said, MAX_TEXT),
    facts: factsOf(run, fieldOf(from.context.github, 'actor')),
    url: linkTo(run.id, sources.publicUrl),
  };
}

const titleOf = (run: Run) => `${run.spec}: ${labelOf(run)}`;

function subjectOf(runs: readonly Run[]): string {
  const [first, ...others] = runs;
  if (first === undefined || others.length === 0) return first === undefined ? '' : titleOf(first);
  const counts = Map.groupBy(runs, ({ state }) => state);
  const states = [...counts].map(([state, of]) => `${of.length} ${state}`).join(', ');
  return `${first.spec}: ${runs.length} changes: ${states}`;
}

function textOf({ title, time, text, facts, url }: Part): string {
  const lines = facts.map(({ name, value }) => `${name}: ${value}`);
  return [title, time, ...(text === undefined ? [] : ['', text, '']), ...lines, url ?? '']
    .join('\n')
    .trim();
}

function htmlOf(parts: readonly Part[]): string {
  const sections = parts.map(({ title, time, text, facts, url }) => {
    const heading =
      url === undefined ? escape(title) : `<a href="${escape(url)}">${escape(title)}</a>`;
    const said = text === undefined ? '' : `<p style="white-space: pre-wrap">${escape(text)}</p>`;
    const rows = facts
      .map(
        ({ name, value }) =>
          `<tr><th align="left" valign="top">${escape(name)}</th><td>${escape(value)}</td></tr>`,
      )
      .join('');
    return `<h2>${heading}</h2><p>${time}</p>${said}<table cellpadding="4">${rows}</table>`;
  });
  return `<!doctype html><html><body style="font-family: sans-serif">${sections.join('<hr>')}</body></html>`;
}

function escape(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
