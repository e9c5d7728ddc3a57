import * as z from 'zod';
import { MainsheetError } from '../lib/errors.ts';
import { compilePattern } from './filter-pattern.ts';
import { asList, type Context, oneOrMore, optional, partsOf, problem } from './schema-fields.ts';

export const MOST_PATTERNS = 200;

/** A filter pattern. */
export const pattern = z.string().superRefine((text, context) => {
  try {
    compilePattern(text);
  } catch (error) {
    if (!(error instanceof MainsheetError)) throw error;
    problem(context, error.message, error.hint);
  }
});

/** A pattern for branches or tags: in their names there is no space, so one with a space never matches. */
export const refPattern = pattern.superRefine((text, context) => {
  if (!/\s/.test(text) || text.includes(',')) return;
  const parts = partsOf(text);
  problem(
    context,
    `"${text.slice(0, 100)}" matches nothing: names of branches and tags have no spaces`,
    parts.length > 1 ? `write a list: ${asList(parts)}` : undefined,
  );
});

const COMMA_HINT = 'a comma that belongs to the name is written "\\,"';

/** An entry of a list that is a list itself: `main, dev`. */
function entry(of: typeof pattern) {
  return of.superRefine((text, context) => {
    if (/,\s/.test(unescaped(text))) refuse(text, 'make an entry of each', context);
  });
}

/** A pattern that stands alone, where a list was perhaps meant. */
function alone(of: typeof pattern) {
  return of.superRefine((text, context) => {
    if (unescaped(text).includes(',')) refuse(text, 'write a list', context);
  });
}

/** Without what is in a set or stands behind a backslash: there a comma is meant as one. */
function unescaped(text: string): string {
  return text.replaceAll(/\\.|\[[^\]]*\]?/gs, '');
}

function refuse(text: string, todo: string, context: Context): void {
  const parts = text.split(',').map((part) => part.trim());
  problem(
    context,
    `"${text.slice(0, 100)}" is one pattern and not a list`,
    `${todo}: ${asList(parts.filter((part) => part !== ''))}; ${COMMA_HINT}`,
  );
}

/** A list of filter patterns, or one of them. */
export function patterns(what: string, of = pattern) {
  return optional(
    what,
    oneOrMore(entry(of), MOST_PATTERNS, alone(of)).superRefine((list, context) => {
      if (list.length > 0 && list.every((entry) => entry.startsWith('!'))) {
        problem(
          context,
          'a list of nothing but "!" patterns matches nothing',
          `put a pattern for what is wanted before them, such as "**", or use the list's "-ignore" twin`,
        );
      }
    }),
  );
}
