import { TerminalError } from '../lib/errors.ts';
import type { Json } from '../model/event.ts';

/** A JSON object whose fields nobody has looked at yet. */
export type Fields = { [key: string]: Json };

/** Longer than any ref that GitHub accepts (its limit is 255 bytes for a name), short enough to be kept in rows and logs. */
const MAX_TEXT = 1000;

// What GitHub lets people type: an owner of letters, digits and hyphens (underscores in managed enterprises), a repository of
// letters, digits, dots, hyphens and underscores. `.` and `..` are no names, and GitHub cuts a trailing `.git`.
const REPOSITORY =
  /^[A-Za-z0-9][A-Za-z0-9_-]{0,99}\/(?!\.{1,2}$)(?!.*\.git$)[A-Za-z0-9._-]{1,100}$/i;
const SHA = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/;
const REF = /^refs\/(?!(?:heads|tags)\/?$)./;
const ZEROS = /^0+$/;
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

/** An object name as git writes it, SHA-1 or SHA-256; all zeros, which means "none", included. */
export function readSha(value: Json | undefined, where: string): string {
  if (typeof value !== 'string' || !SHA.test(value)) {
    throw unreadable(where, 'is not 40 or 64 lower-case hexadecimal digits');
  }
  return value;
}

/** As `readSha`, of a commit that is there: never all zeros. */
export function readCommit(value: Json | undefined, where: string): string {
  const sha = readSha(value, where);
  if (isZeroSha(sha)) throw unreadable(where, 'is all zeros, which is no commit');
  return sha;
}

/** A name that people gave: a ref, a tag, a workflow. Not empty, at most 1,000 characters, none of them control characters. */
export function readName(value: Json | undefined, where: string): string {
  if (typeof value !== 'string') throw unreadable(where, 'is not a string');
  if (value === '') throw unreadable(where, 'is empty');
  if (value.length > MAX_TEXT) throw unreadable(where, `is longer than ${MAX_TEXT} characters`);
  if (CONTROL.test(value)) throw unreadable(where, 'has control characters');
  if (!value.isWellFormed()) throw unreadable(where, 'is not well-formed Unicode');
  return value;
}

/** A whole ref (`refs/heads/main`), within the bounds of `readName`. */
export function readRef(value: Json | undefined, where: string): string {
  const ref = readName(value, where);
  if (!REF.test(ref)) throw unreadable(where, 'is not a whole ref such as refs/heads/main');
  return ref;
}

/** As `readName`, but null or a missing field is undefined. */
export function readOptionalName(value: Json | undefined, where: string): string | undefined {
  return value === undefined || value === null ? undefined : readName(value, where);
}

export function isRepository(value: Json | undefined): value is string {
  return typeof value === 'string' && REPOSITORY.test(value);
}

/** Git's way of saying "no such object": https://docs.github.com/en/webhooks/webhook-events-and-payloads#push */
export function isZeroSha(sha: string): boolean {
  return ZEROS.test(sha);
}

function unreadable(where: string, problem: string): TerminalError {
  return new TerminalError('payload-unreadable', `${where} ${problem}`);
}
