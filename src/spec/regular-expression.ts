import { createRequire } from 'node:module';
import type * as re2js from 're2js';
import { TerminalError } from '../lib/errors.ts';

const require = createRequire(import.meta.url);

/** UTF-16 units in one regular expression: what a payload brings may be one too. */
const LENGTH_LIMIT = 2000;

/**
 * A regular expression of CEL's `matches`. It never backtracks, so it knows neither references back nor looking around.
 * Throws a TerminalError (`bad-regular-expression`).
 *
 * https://github.com/google/re2/wiki/Syntax
 */
export function compileRegularExpression(source: string): re2js.RE2JS {
  if (source.length > LENGTH_LIMIT) {
    throw bad(`is longer than ${LENGTH_LIMIT} characters`);
  }
  try {
    // Read when the first one is there, because most specs have none.
    return (require('re2js') as typeof re2js).RE2JS.compile(source);
  } catch (error) {
    throw bad('is not valid', error);
  }
}

function bad(what: string, cause?: unknown): TerminalError {
  return new TerminalError('bad-regular-expression', `the regular expression ${what}`, {
    cause,
    hint: 'it is written as in RE2: no references back and no looking ahead or behind',
  });
}
