import { isUtf8 } from 'node:buffer';
import { TerminalError } from '../../lib/errors.ts';
import type { Json } from '../../model/event.ts';
import { readingOf } from '../../model/hook.ts';
import { readXml } from './read-xml.ts';
import { isDeeperThan } from '../../lib/json.ts';

/** Levels of lists and maps within each other: enough for any sender, and few enough to walk through. */
const MOST_LEVELS = 100;
const MOST_FIELDS = 1000;

/** As what the body of a request with GET is read: it has none that says what it is. */
export const TYPE_OF_GET = 'text/plain';

/** A verified body as it is read: `text` is the JSON text of `body`. */
export interface ReadPayload {
  body: Json;
  text: string;
}

/** Why a request with another method is refused. */
export function takesOnly(methods: readonly string[]): string {
  return `the hook takes ${methods.join(', ')}`;
}

/**
 * What the verified bytes say, by their content type. Throws TerminalError `payload-unreadable`. A form's field that is there
 * several times is a list; XML as `readXml` has it; what is none of these is its text; an empty body is null.
 */
export function readPayload(bytes: Buffer, contentType: string): ReadPayload {
  if (!isUtf8(bytes)) throw unreadable('the body is not UTF-8');
  const text = bytes.toString('utf8');
  const kind = readingOf(contentType);
  if (text === '') return { body: null, text: 'null' };
  if (kind === 'json') return { body: parseJson(text), text };
  const body = kind === 'form' ? parseForm(text) : kind === 'xml' ? readXml(text) : text;
  return { body, text: JSON.stringify(body) };
}

function parseJson(text: string): Json {
  let body: Json;
  try {
    body = JSON.parse(text) as Json;
  } catch {
    // The parser repeats what it was given, which may be a secret.
    throw unreadable('the body is not valid JSON');
  }
  if (!isDeeperThan(MOST_LEVELS, body)) return body;
  throw unreadable(`the body is nested more than ${MOST_LEVELS} levels deep`);
}

function parseForm(text: string): Json {
  const fields = new Map<string, Json>();
  let count = 0;
  for (const [name, value] of new URLSearchParams(text)) {
    count += 1;
    if (count > MOST_FIELDS) throw unreadable(`the form has more than ${MOST_FIELDS} fields`);
    const before = fields.get(name);
    fields.set(name, before === undefined ? value : [before, value].flat());
  }
  return Object.fromEntries(fields);
}

function unreadable(message: string): TerminalError {
  return new TerminalError('payload-unreadable', message);
}
