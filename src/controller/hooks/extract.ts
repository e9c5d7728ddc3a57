import { describeError, TerminalError } from '../../lib/errors.ts';
import type { Json } from '../../model/event.ts';
import type { Extract, Hook } from '../../model/hook.ts';
import { schemaProblems } from '../../spec/input-schema.ts';
import { valuesAt } from '../../spec/json-path.ts';
import { evaluateJson } from '../../spec/expressions.ts';

/** UTF-16 units of one input: less than an environment variable holds. */
const MOST_TEXT = 32_768;

/** What extracts and `dedupe` speak of. */
export interface RequestContext {
  body: Json;
  /** By names in small letters, without those that have secrets. */
  headers: { [name: string]: string };
  query: { [name: string]: string };
}

/**
 * The inputs of a hook in a request, but for those that are `fixed`; null where there is nothing. Throws TerminalError `bad-inputs`, which names all that is
 * wrong, and none of the values.
 */
export function extractInputs(
  { extract }: Pick<Hook, 'extract'>,
  request: RequestContext,
  fixed: { [name: string]: Json } = {},
): { [name: string]: Json } {
  const problems: string[] = [];
  const open = Object.entries(extract).filter(([name]) => !Object.hasOwn(fixed, name));
  const inputs = open.map(([name, one]): [string, Json] => {
    const found = valueOf(one, request) ?? one.default ?? null;
    if (found === null) {
      if (one.required) problems.push(`${name} is missing`);
      return [name, null];
    }
    const value = converted(found, one.type);
    if (value === undefined) problems.push(`${name} is not of the type ${one.type}`);
    else if (!isHoldable(value))
      problems.push(`${name} is longer than ${MOST_TEXT} characters, or has a NUL`);
    return [name, value ?? null];
  });
  if (problems.length === 0) return Object.fromEntries(inputs);
  throw bad(`the request does not have what the hook needs: ${problems.join('; ')}`);
}

/** Throws TerminalError `bad-inputs` when inputs are not as the hook's schema has them. One without a value is not there for it. */
export function checkInputs(
  { schema }: Pick<Hook, 'schema'>,
  inputs: { [name: string]: Json },
): void {
  const given = Object.entries(inputs).filter(([, value]) => value !== null);
  const problems = schema === undefined ? [] : schemaProblems(schema, Object.fromEntries(given));
  if (problems.length === 0) return;
  throw bad(`the request is not as the hook's schema has it: ${problems.join('; ')}`);
}

/** The id by which a request counts once, if the hook's `dedupe` gives one. Throws TerminalError `bad-inputs`. */
export function dedupeId(
  { dedupe }: Pick<Hook, 'dedupe'>,
  request: RequestContext,
): string | undefined {
  if (dedupe === undefined) return undefined;
  const value = valueFor('dedupe', dedupe, request);
  if (typeof value === 'string' && value !== '') return value;
  if (typeof value === 'number') return String(value);
  throw bad('dedupe gives neither a text nor a number');
}

/** Characters. */
const LONGEST_URL = 2000;

/** The URL that the hook's `respond.callback` gives; undefined for none. Throws TerminalError `bad-inputs`, without the URL. */
export function callbackUrl(
  { callback }: Pick<Hook, 'callback'>,
  request: RequestContext,
): string | undefined {
  if (callback === undefined) return undefined;
  const value = valueFor('respond.callback', callback.url, request);
  if (value === null || value === '') return undefined;
  const url = typeof value === 'string' && value.length <= LONGEST_URL ? URL.parse(value) : null;
  if (url !== null && /^https?:$/.test(url.protocol) && url.username + url.password === '') {
    return url.href;
  }
  throw bad(
    `respond.callback gives no http or https URL of at most ${LONGEST_URL} characters without a user`,
  );
}

function bad(message: string, cause?: unknown): TerminalError {
  return new TerminalError('bad-inputs', message, { cause });
}

function valueFor(name: string, expression: string, request: RequestContext): Json {
  try {
    return evaluateJson(expression, request);
  } catch (error) {
    throw bad(`${name}: ${describeError(error)}`, error);
  }
}

function valueOf({ from, type }: Extract, request: RequestContext): Json | undefined {
  switch (from.kind) {
    case 'header':
      return request.headers[from.name];
    case 'query':
      return Object.hasOwn(request.query, from.name) ? request.query[from.name] : undefined;
    case 'expression':
      try {
        return evaluateJson(from.expression, request);
      } catch {
        // A field that is not there, for one: `required` says whether that matters.
        return undefined;
      }
    case 'json': {
      const found = valuesAt(request.body, from.path);
      if (type === 'list' && !(found.length === 1 && Array.isArray(found[0]))) {
        return found.length === 0 ? undefined : found;
      }
      return found.length > 1 ? found : found[0];
    }
  }
}

function converted(value: Json, type: Extract['type']): Json | undefined {
  switch (type) {
    case 'any':
      return value;
    case 'string':
      return typeof value === 'object' ? undefined : String(value);
    case 'number': {
      if (typeof value === 'number') return value;
      const isNumber = typeof value === 'string' && /^-?\d{1,15}(?:\.\d{1,15})?$/.test(value);
      return isNumber ? Number(value) : undefined;
    }
    case 'boolean':
      if (typeof value === 'boolean') return value;
      return value === 'true' ? true : value === 'false' ? false : undefined;
    case 'list':
      return Array.isArray(value) ? value : undefined;
    case 'map':
      return typeof value === 'object' && !Array.isArray(value) ? value : undefined;
  }
}

/** Whether an environment variable can hold it. */
function isHoldable(value: Json): boolean {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text.length <= MOST_TEXT && !text.includes('\0');
}
