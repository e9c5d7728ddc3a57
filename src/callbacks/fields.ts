import { cleanLine } from '../lib/clean-text.ts';
import { cutText } from '../lib/cut-text.ts';
import { unreadableAnswer } from '../github/failure.ts';
import type { Json } from '../model/event.ts';

// What people wrote, as each field of GitHub takes it, and what it answers.

/**
 * Characters of a status's description, of a commit
 * (https://docs.github.com/en/rest/commits/statuses#create-a-commit-status) as of a deployment
 * (https://docs.github.com/en/rest/deployments/statuses#create-a-deployment-status). GitHub answers 422 to more, as it does to
 * more than 1,000 statuses for one commit and context.
 */
export const MAX_DESCRIPTION = 140;

/** Characters of a status's context; GitHub answers 422 to more. */
const MAX_CONTEXT = 255;

/** A description: one line of at most 140 characters up to U+FFFF (GitHub: "doesn't accept 4-byte Unicode"). */
export function description(text: string): string {
  return cutText(withoutAstral(cleanLine(text.toWellFormed())), MAX_DESCRIPTION);
}

/** A status's context, by the rules of a description; at most 255 characters. */
export function context(text: string): string {
  return cutText(withoutAstral(cleanLine(text.toWellFormed())), MAX_CONTEXT);
}

/** A link, or undefined when it is none that GitHub takes: an absolute http(s) URL. */
export function link(text: string | undefined): string | undefined {
  const url = text === undefined ? null : URL.parse(text);
  return url !== null && /^https?:$/.test(url.protocol) ? url.href : undefined;
}

/** The fields that say something. */
export function given<Fields extends Record<string, string | undefined>>(
  fields: Fields,
): { [Name in keyof Fields]?: string } {
  return Object.fromEntries(Object.entries(fields).filter(([, text]) => text)) as never;
}

/** JSON whose strings are well-formed Unicode: half a character is no UTF-8. */
export function wellFormed<Value extends Json>(value: Value): Value {
  return JSON.parse(JSON.stringify(value), (_key, each: unknown) =>
    typeof each === 'string' ? each.toWellFormed() : each,
  ) as Value;
}

/** The text with a box for each character that GitHub may not take. */
export function withoutAstral(text: string): string {
  return text.replaceAll(/[\u{10000}-\u{10ffff}]/gu, '□');
}

/** The number of what GitHub has made. Throws RetryableError when the answer is not the JSON that has one. */
export function madeId(status: number, data: unknown): number {
  const id = fieldOf(data, 'id');
  if (typeof id === 'number' && Number.isSafeInteger(id)) return id;
  throw unreadableAnswer(status);
}

/** An own field of an answer that may be anything. */
export function fieldOf(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null
    ? Object.getOwnPropertyDescriptor(value, key)?.value
    : undefined;
}
