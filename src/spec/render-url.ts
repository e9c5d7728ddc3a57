import { TerminalError } from '../lib/errors.ts';
import { ExpressionError, parseExpression, type ExpressionContext } from './cel.ts';
import { isNode, type TextIssue } from './expression-checks.ts';
import { renderTemplate } from './expressions.ts';
import { parseTemplate } from './template.ts';

/** What the spec's author and the operator wrote: it goes into a URL as it is. Everything else is a value. */
const TRUSTED = new Set(['spec', 'secrets']);
/** A scheme and a whole host with what ends it: what follows cannot belong to the host. */
const HOST = /^https?:\/\/[^\s/\\?#]+[/\\?#]/i;
/** A part of a path that means another folder, also percent-encoded: https://url.spec.whatwg.org/#double-dot-path-segment */
const DOTS = /[/\\](?:\.|%2e){1,2}(?=[/\\?#]|$)/i;
const HINT =
  'write the host in the spec or keep it in a secret; values of the event may come after it';

/**
 * Renders a URL. A value from a payload, a run or its outputs is percent-encoded, so that it stays within the part of the path or
 * query that it was put into; `secrets` and `spec` are text of the URL and go in as they are. Throws an ExpressionError, or
 * TerminalError `webhook-url` when a value would belong to the host or make a `.` or `..` of the path.
 */
export function renderUrl(text: string, context: ExpressionContext): string {
  let hasValue = false;
  const url = renderTemplate(text, context, (value, { ast }, before) => {
    if (isTrusted(ast)) return value;
    if (!HOST.test(before)) throw badUrl('a value of the event would belong to the host', HINT);
    hasValue = true;
    return encodeURIComponent(value.toWellFormed());
  });
  const [path = ''] = url.split(/[?#]/, 1);
  if (hasValue && DOTS.test(path)) {
    throw badUrl('a value would make a "." or ".." of the path', 'put the value into the query');
  }
  return url;
}

/** What is wrong with a URL's template whatever its values are. Templates that cannot be read are not looked at. */
export function checkUrlTemplate(text: string): TextIssue[] {
  let before = '';
  for (const part of parseTemplate(text)) {
    if (part.kind === 'text') before += part.text;
    else if (part.kind === 'unclosed' || isTrustedSource(part.source)) return [];
    else if (HOST.test(before)) return [];
    else {
      const message = 'a value of the event, the run or its outputs would belong to the host';
      return [{ message, hint: HINT, offset: part.offset }];
    }
  }
  return [];
}

/** Also when it cannot be read: that is said elsewhere. */
function isTrustedSource(source: string): boolean {
  try {
    return isTrusted(parseExpression(source).ast);
  } catch (error) {
    if (error instanceof ExpressionError) return true;
    throw error;
  }
}

/** Whether every name that the expression's value may come from is one of `TRUSTED`. */
function isTrusted(value: unknown): boolean {
  if (Array.isArray(value)) return value.every(isTrusted);
  if (!isNode(value)) return true;
  if (value.op === 'id') return TRUSTED.has(value.args);
  // A condition chooses between two texts and becomes part of neither.
  return isTrusted(value.op === '?:' ? value.args.slice(1) : value.args);
}

function badUrl(problem: string, hint: string): TerminalError {
  return new TerminalError('webhook-url', `the webhook's URL: ${problem}`, { hint });
}
