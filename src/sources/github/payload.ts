import { TerminalError } from '../../lib/errors.ts';
import { isObjectName, isRepository, isZeroSha, refProblem } from '../../lib/names.ts';
import type { Json } from '../../model/event.ts';

/** A JSON object whose fields were not looked at yet. */
export type Fields = { [key: string]: Json };

/** Longer than any ref that GitHub accepts (its limit is 255 bytes for a name), short enough to be kept in rows and logs. */
const MAX_TEXT = 1000;

const REF = /^refs\/(?!(?:heads|tags)\/?$)./;
const CONTROL = /\p{Cc}/u;

/** The object at `where`. Throws `TerminalError` (`payload-unreadable`) as every reader below does. */
export function readFields(value: Json | undefined, where: string): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw unreadable(where, 'is not an object');
  }
  return value;
}

/** `owner/name` of a repository object. It becomes part of paths and URLs, so only GitHub's own characters pass. */
export function readRepository(value: Json | undefined, where: string): string {
  const name = readFields(value, where).full_name;
  if (!isRepository(name)) throw unreadable(`${where}.full_name`, 'is not "owner/name"');
  return name;
}

/** The full name of an object; all zeros, which means "none", included. */
export function readSha(value: Json | undefined, where: string): string {
  if (isObjectName(value)) return value;
  throw unreadable(where, 'is not 40 lower-case hexadecimal digits');
}

/** As `readSha`, of a commit that is there: never all zeros. */
export function readCommit(value: Json | undefined, where: string): string {
  const sha = readSha(value, where);
  if (isZeroSha(sha)) throw unreadable(where, 'is all zeros, which is no commit');
  return sha;
}

/** A name that people gave: a workflow, an action. Not empty, at most 1,000 characters, none of them control characters. */
export function readName(value: Json | undefined, where: string): string {
  if (typeof value !== 'string') throw unreadable(where, 'is not a string');
  if (value === '') throw unreadable(where, 'is empty');
  if (value.length > MAX_TEXT) throw unreadable(where, `is longer than ${MAX_TEXT} characters`);
  if (CONTROL.test(value)) throw unreadable(where, 'has control characters');
  if (!value.isWellFormed()) throw unreadable(where, 'is not well-formed Unicode');
  return value;
}

/** A branch's or tag's name, or a whole ref, that git could hold. */
export function readRefName(value: Json | undefined, where: string): string {
  if (typeof value !== 'string') throw unreadable(where, 'is not a string');
  const problem = refProblem(value);
  if (problem !== undefined) throw unreadable(where, `is not a usable ref: ${problem}`);
  return value;
}

/** A whole ref (`refs/heads/main`), within the bounds of `readRefName`. */
export function readRef(value: Json | undefined, where: string): string {
  const ref = readRefName(value, where);
  if (!REF.test(ref)) throw unreadable(where, 'is not a whole ref such as refs/heads/main');
  return ref;
}

/** GitHub's number of something. */
export function readNumber(value: Json | undefined, where: string): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value > 0) return value;
  throw unreadable(where, 'is no number');
}

/** What `read` makes of a value; null or a missing field is undefined. */
export function readOptional(
  read: (value: Json, where: string) => string,
  value: Json | undefined,
  where: string,
): string | undefined {
  return value === undefined || value === null ? undefined : read(value, where);
}

function unreadable(where: string, problem: string): TerminalError {
  return new TerminalError('payload-unreadable', `${where} ${problem}`);
}
