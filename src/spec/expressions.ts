import type { Duration, UnsignedInt } from '@marcbachmann/cel-js/evaluator';
import type { Json } from '../model/event.ts';
import {
  type Expression,
  type ExpressionContext,
  ExpressionError,
  failure,
  parseExpression,
  type Scope,
} from './cel.ts';
import { celValues } from './cel-library.ts';
import { hasTemplate, parseTemplate } from './template.ts';
import { sizeOf } from './value-size.ts';

export { ExpressionError, parseExpression, type ExpressionContext } from './cel.ts';

/** UTF-16 units that one rendered text may have. */
const RENDER_LIMIT = 256 * 1024;

/**
 * Whether a condition (a spec's `if`) holds. Throws an ExpressionError when it cannot be evaluated – a field that does
 * not exist, say – or when it gives anything but true or false.
 */
export function evaluateCondition(
  expression: string,
  context: ExpressionContext,
  scope?: Scope,
): boolean {
  const value = parseExpression(expression, scope).evaluate(context);
  if (typeof value === 'boolean') return value;
  throw failure(`the condition must be true or false, and is ${nameOf(value)}`);
}

/** The value of an expression over a request, as JSON. Throws an ExpressionError. */
export function evaluateJson(
  expression: string,
  context: Pick<ExpressionContext, 'body' | 'headers' | 'query'>,
): Json {
  const value = parseExpression(expression, 'request').evaluate(context);
  return JSON.parse(jsonText(value)) as Json;
}

/** The value of an expression as text, as `${{ … }}` gives it. Throws an ExpressionError. */
export function evaluateText(expression: string, context: ExpressionContext, scope: Scope): string {
  return toText(parseExpression(expression, scope).evaluate(context));
}

/** How the text of an expression's value goes into a text of which `before` is there already. */
type Fill = (value: string, expression: Expression, before: string) => string;

/**
 * Replaces every `${{ … }}` with the text of its value: numbers in digits, `null` as nothing, lists and maps as JSON,
 * times in ISO 8601. Throws an ExpressionError that names the field that does not exist.
 */
export function renderTemplate(
  text: string,
  context: ExpressionContext,
  fill: Fill = (value) => value,
): string {
  if (!hasTemplate(text)) return text;
  let rendered = '';
  for (const part of parseTemplate(text)) {
    if (part.kind === 'unclosed') {
      throw new ExpressionError('bad-expression', '"${{" without its "}}"', part.offset);
    }
    if (part.kind === 'text') rendered += part.text;
    else {
      const expression = parseExpression(part.source);
      rendered += fill(toText(expression.evaluate(context)), expression, rendered);
    }
    if (rendered.length > RENDER_LIMIT) throw tooLong();
  }
  return rendered;
}

/** Renders every string in a JSON value, at any depth. Strings stay strings; keys are left as they are. */
export function renderJson(value: Json, context: ExpressionContext): Json {
  if (typeof value === 'string') return renderTemplate(value, context);
  if (Array.isArray(value)) return value.map((item) => renderJson(item, context));
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, renderJson(item, context)]),
  );
}

function toText(value: unknown): string {
  if (value === null) return '';
  if (typeof value === 'string') return value;
  if (value instanceof Date) return value.toISOString();
  if (isPlain(value)) return jsonText(value);
  if (typeof value === 'bigint' || typeof value === 'number' || typeof value === 'boolean') {
    return String(value);
  }
  if (isPrintable(value)) return String(value);
  const message = `the expression gives ${nameOf(value)}, which has no text`;
  throw failure(message, 0, 'use string(…) on it');
}

function jsonText(value: unknown): string {
  if (sizeOf(value, RENDER_LIMIT) > RENDER_LIMIT) throw tooLong();
  try {
    return JSON.stringify(value, jsonValue);
  } catch {
    throw failure('the value is nested too deeply for JSON');
  }
}

function tooLong(): ExpressionError {
  return failure(`the text with its values filled in is longer than ${RENDER_LIMIT} characters`);
}

/** What JSON has no word for: CEL's integers (exact as digits when they are too large for a JSON number). */
function jsonValue(_key: string, value: unknown): unknown {
  if (typeof value !== 'bigint') return isPrintable(value) ? String(value) : value;
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : String(value);
}

function isPlain(value: unknown): boolean {
  if (Array.isArray(value)) return true;
  if (value === null || typeof value !== 'object') return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function isPrintable(value: unknown): value is Duration | UnsignedInt {
  const values = celValues();
  return value instanceof values.Duration || value instanceof values.UnsignedInt;
}

function nameOf(value: unknown): string {
  if (value === null) return 'null';
  if (typeof value === 'string') return 'a string';
  if (typeof value === 'bigint' || typeof value === 'number') return 'a number';
  if (typeof value === 'boolean') return 'true or false';
  if (Array.isArray(value)) return 'a list';
  return isPlain(value) ? 'a map' : 'neither text nor number';
}
