import { cleanLine, cleanText } from '../lib/clean-text.ts';
import { isoTime } from '../lib/clock.ts';
import { cutText } from '../lib/cut-text.ts';
import type { Json } from '../model/event.ts';
import type { Run } from '../model/run.ts';
import { renderTemplate } from '../spec/expressions.ts';
import type { CallbackKind, NotifyContext } from './contract.ts';
import { labelOf, linkTo } from './describe.ts';
import { fieldOf, link, wellFormed } from './fields.ts';
import { callbackKind } from './kind.ts';
import { entryOf, notification, rendering, type NotifyCallback } from './notify.ts';
import { postJson } from './post.ts';

type ChatKind = 'slack' | 'discord' | 'teams';

interface Rendered<Kind> {
  kind: Kind;
  url: string;
  body: Json;
}

/** What is said in a channel. Titles and facts are plain text of one line, still to be escaped; `text` is written for the chat. */
export interface Announcement {
  title: string;
  text: string | undefined;
  facts: Fact[];
  /** The run's page. */
  url: string | undefined;
  mood: 'good' | 'bad' | 'neutral';
  /** In ISO 8601. */
  time: string;
}

interface Fact {
  name: string;
  value: string;
}

/** How a chat wants it. */
interface Format {
  /** Makes a value mean nothing but its characters in `text`. */
  escape(value: string): string;
  body(announcement: Announcement): Json;
  /** What the URL of the webhook is to have beside what the secret says. */
  query?: Record<string, string>;
}

/** Characters of a value: escaped, it stays within what each chat takes in a field. */
const MAX_VALUE = 300;
/** Characters of the title, before it is escaped. */
const MAX_TITLE = 120;
/** Characters of the rendered `text`. Each may count as two, and each chat takes 3,000. */
const MAX_TEXT = 1500;

/**
 * A message to a chat's incoming webhook. Its URL is a secret, so that it is read when the message is sent and stands in no row. What
 * a template fills in is escaped; what the spec's author wrote around it is the chat's markup.
 */
export function chat<Kind extends ChatKind>(
  kind: Kind,
  format: Format,
): CallbackKind<NotifyCallback<Kind>, Rendered<Kind>> {
  return callbackKind<NotifyCallback<Kind>, Rendered<Kind>>({
    ...notification(kind),

    async render({ run, notify: position }, entry, sources) {
      const from = await sources.notify(run, position);
      const { secret, text } = entryOf<ChatKind>(from.notify, kind);
      const { publicUrl } = sources;
      const at = entry.createdAt;
      const said = announcementOf({ run, from, text, escape: format.escape, publicUrl, at });
      return {
        kind,
        url: withQuery(sources.secret(secret), format.query),
        body: wellFormed(format.body(said)),
      };
    },

    pacedBy: ({ url }) => url,

    async send({ url, body }, way) {
      await postJson({ url, body: JSON.stringify(body) }, way);
      return {};
    },
  });
}

/** What a chat is told of a run. `text`: the spec's template; `at`: milliseconds since the epoch. Throws as `rendering`. */
export function announcementOf(of: {
  run: Run;
  from: NotifyContext;
  text: string | undefined;
  escape: Format['escape'];
  publicUrl: string | undefined;
  at: number;
}): Announcement {
  const { run, from, text, escape } = of;
  const said = rendering(from, () =>
    text === undefined
      ? undefined
      : renderTemplate(text, from.context, (value) => escape(cutText(cleanText(value), MAX_TEXT))),
  );
  const actor = fieldOf(from.context.github, 'actor');
  return {
    title: cutText(`${run.spec}: ${labelOf(run)}`, MAX_TITLE),
    text: said === undefined || said.trim() === '' ? undefined : cutText(said, MAX_TEXT),
    facts: factsOf(run, actor),
    url: link(linkTo(run.id, of.publicUrl)),
    mood: moodOf(run),
    time: isoTime(of.at),
  };
}

/** What there is to say of a run, each on one line. */
export function factsOf(run: Run, actor: unknown): Fact[] {
  // Of a retry or a rollback the event tells who pushed and not who asked for it.
  const startedBy = run.cause === 'event' ? actor : `a ${run.cause}`;
  const facts = {
    Environment: run.environment,
    Repository: run.repository,
    Revision: `${run.branch ?? run.tag ?? run.ref} at ${run.sha.slice(0, 12)}`,
    'Started by': typeof startedBy === 'string' ? startedBy : '',
    Reason: run.reason,
  };
  return Object.entries(facts).flatMap(([name, text]) => {
    const value = cutText(cleanLine(text), MAX_VALUE);
    return value === '' ? [] : [{ name, value }];
  });
}

function moodOf({ state }: Run): Announcement['mood'] {
  if (state === 'succeeded') return 'good';
  return state === 'failed' ? 'bad' : 'neutral';
}

/** What is no URL stays as it is: it is refused when it is sent. */
function withQuery(text: string, query: Record<string, string> = {}): string {
  const url = URL.parse(text);
  if (url === null) return text;
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
  return url.href;
}
