import { kindOf } from '../../../callbacks/index.ts';
import type { Run } from '../../../model/run.ts';
import type { OutboxEntry } from '../../../store/outbox.ts';
import { html, type Content, type Html } from '../html.ts';
import { icon, type Frame } from '../layout.ts';
import { shortSha } from './commit.ts';

/** What a callback is called, for people. A newer version's kind has the name that it is stored with. */
export function callbackName({ callback }: Pick<OutboxEntry, 'callback'>): string {
  try {
    return kindOf(callback).title ?? callback.kind;
  } catch {
    return callback.kind;
  }
}

/** The state that it tells, in a word. A newer version's kind tells what this one does not know. */
export function tells({ callback }: Pick<OutboxEntry, 'callback'>): string {
  try {
    return kindOf(callback).tells(callback);
  } catch {
    return '';
  }
}

/** What it tells of: the run's spec, environment and commit; without a run what it names itself. */
export function tellsOf({ callback }: Pick<OutboxEntry, 'callback'>, run: Run | undefined): Html {
  const named = callback as { repository?: unknown; sha?: unknown; number?: unknown };
  const text = (value: unknown) => (typeof value === 'string' ? value : undefined);
  const sha = run?.sha ?? text(named.sha);
  const parts = [
    run?.spec,
    run?.environment,
    run?.repository ?? text(named.repository),
    typeof named.number === 'number' ? `#${named.number}` : undefined,
    sha === undefined ? undefined : shortSha(sha),
  ].filter((part) => part !== undefined);
  return html`${parts.map((part) => html`<span>${part}</span>`)}`;
}

/** What the other side answered to one that was sent: its status, and what GitHub has made. */
export function answerOf(frame: Frame, { state, answer }: OutboxEntry): Content {
  if (state !== 'sent' || answer === undefined) return '';
  const { status, id, url } = answer;
  const made = id === undefined ? 'what was made' : `number ${id}`;
  const isSafe = url !== undefined && URL.parse(url)?.protocol === 'https:';
  const link = isSafe
    ? html`<a class="break" href="${url}" rel="noreferrer">${made}${icon(frame, 'external', 'is-small')}</a>`
    : id === undefined
      ? ''
      : made;
  const parts = [
    ...(status === undefined ? [] : [`Answered ${status}`]),
    ...(link === '' ? [] : [link]),
  ];
  return html`<p class="small muted">${parts.map((part, index) => html`${index === 0 ? '' : ' · '}${part}`)}</p>`;
}
