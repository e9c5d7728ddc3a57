import type { Annotation } from '../callbacks/annotations.ts';
import { cleanText } from '../lib/clean-text.ts';
import { codeSpan } from '../lib/code-span.ts';
import { cutText } from '../lib/cut-text.ts';
import type { SpecProblem } from '../spec/problem.ts';

/** As many as GitHub takes in one request. */
export const MOST_ANNOTATIONS = 50;
const MOST_LISTED = 20;
const MOST_MESSAGE = 2000;

/** Problems as Markdown: their number, and the first of them with file, line and column. */
export function problemLines(problems: readonly SpecProblem[]): string {
  const listed = problems
    .slice(0, MOST_LISTED)
    .map(
      ({ file, line, column, message }) =>
        `- ${codeSpan(`${file}:${line}:${column}`)} ${codeSpan(message, 500)}`,
    );
  const rest = problems.length - listed.length;
  return [
    `### ${count(problems.length, 'problem')} in the specs`,
    '',
    'The specs in use stay until there is none.',
    '',
    ...listed,
    ...(rest === 0 ? [] : [`- … and ${rest} more`]),
  ].join('\n');
}

/** A problem beside the line that it is in. */
export function annotationOf(
  { file, line, column, message, hint }: SpecProblem,
  level: Annotation['annotation_level'],
): Annotation {
  return {
    path: file,
    start_line: line,
    end_line: line,
    start_column: column,
    end_column: column,
    annotation_level: level,
    message: cutText(
      cleanText(hint === undefined ? message : `${message} — ${hint}`),
      MOST_MESSAGE,
    ).toWellFormed(),
  };
}

/** `1 problem`, `2 problems` */
export function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`;
}
