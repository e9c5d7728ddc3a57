import type { SpecProblem } from './problem.ts';

/** UTF-16 units of a line that are shown around a column. */
const WIDTH = 160;
/** What would move the caret or hide what is there: control characters, marks of direction, and what has no width. */
const UNSEEN = /[\p{Cc}\p{Cf}\u2028\u2029]/gu;

/**
 * The line of a problem, without its indentation, and below it a caret under the column. Long lines are cut around the column.
 * Undefined when the line is empty or not there. `lines` are those of the file as it was read.
 */
export function excerptOf(
  lines: readonly string[],
  { line, column }: Pick<SpecProblem, 'line' | 'column'>,
): string | undefined {
  const whole = (lines[line - 1] ?? '').trimEnd();
  if (whole === '') return undefined;
  const at = Math.min(column - 1, whole.length);
  const indent = Math.min(whole.search(/\S/), at);
  const start = Math.max(indent, Math.min(at - WIDTH / 2, whole.length - WIDTH));
  const before = start > indent ? '…' : '';
  const after = start + WIDTH < whole.length ? '…' : '';
  const shown = whole
    .slice(start, start + WIDTH)
    .toWellFormed()
    .replaceAll(UNSEEN, (one) => (one === '\t' ? ' ' : '\uFFFD').repeat(one.length));
  return `${before}${shown}${after}\n${' '.repeat(before.length + at - start)}^`;
}

/** Problems with their excerpts, as far as `texts` has the text of their file. */
export function withExcerpts(
  problems: readonly SpecProblem[],
  texts: ReadonlyMap<string, string>,
): SpecProblem[] {
  const split = new Map<string, string[]>();
  return problems.map((problem) => {
    const text = texts.get(problem.file);
    if (text === undefined) return problem;
    const lines = split.get(problem.file) ?? text.split('\n');
    split.set(problem.file, lines);
    const excerpt = excerptOf(lines, problem);
    return excerpt === undefined ? problem : { ...problem, excerpt };
  });
}
