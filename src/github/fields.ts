import type { Message } from '../model/callback.ts';
import type { Json } from '../model/event.ts';
import { cutText, MAX_CONTEXT, MAX_DESCRIPTION } from './limits.ts';

/** What people wrote, as each field of GitHub takes it. */

/** A description: one line of at most 140 characters up to U+FFFF (GitHub: "doesn't accept 4-byte Unicode"). */
export function description(text: string): string {
  return cutText(withoutAstral(oneLine(text)), MAX_DESCRIPTION);
}

/** A status's context, by the rules of a description; at most 255 characters. */
export function context(text: string): string {
  return cutText(withoutAstral(oneLine(text)), MAX_CONTEXT);
}

/** A link, or undefined when it is none that GitHub takes: an absolute http(s) URL. */
export function link(text: string | undefined): string | undefined {
  const url = text === undefined ? null : URL.parse(text);
  return url !== null && /^https?:$/.test(url.protocol) ? url.href : undefined;
}

/** JSON whose strings are well-formed Unicode: half a character is no UTF-8. */
export function wellFormed<Value extends Json>(value: Value): Value {
  return JSON.parse(JSON.stringify(value), (_key, each: unknown) =>
    typeof each === 'string' ? each.toWellFormed() : each,
  ) as Value;
}

/**
 * The same state without what only decorates it: texts, links, characters that GitHub may not take in an environment's name.
 * Undefined when nothing can be left out.
 */
export function withoutDecoration(message: Message): Message | undefined {
  const bare = bareOf(message);
  return bare === undefined || JSON.stringify(bare) === JSON.stringify(message) ? undefined : bare;
}

function bareOf(message: Message): Message | undefined {
  switch (message.kind) {
    case 'status':
      return { ...message, description: '', targetUrl: undefined };
    case 'deployment':
      return { ...message, description: '', environment: withoutAstral(message.environment) };
    case 'deployment-status':
      return { ...message, description: '', logUrl: undefined, environmentUrl: undefined };
    case 'dispatch':
    case 'webhook':
      return undefined;
  }
}

function oneLine(text: string): string {
  return text
    .toWellFormed()
    .replaceAll(/[\s\p{Cc}]+/gu, ' ')
    .trim();
}

function withoutAstral(text: string): string {
  return text.replaceAll(/[\u{10000}-\u{10ffff}]/gu, '□');
}
