import leven from 'leven';

/** One thing that is wrong with a spec, and where. */
export interface SpecProblem {
  /** Path below the deployments directory. */
  file: string;
  /** 1-based. */
  line: number;
  /** 1-based. */
  column: number;
  message: string;
  /** What to do about it. */
  hint?: string;
  /** Two lines: the line of the file, and a caret under the column. */
  excerpt?: string;
}

/** Problems reported for one document: more than anyone reads. */
export const PROBLEM_LIMIT = 100;

/** A problem found in a document's values, before its place in the file is known. */
export interface Issue {
  path: readonly (string | number)[];
  message: string;
  hint?: string | undefined;
  /** `key`: the place is the key at the end of `path`, not its value. */
  at?: 'key' | 'value';
  /** UTF-16 units into the string at `path`. */
  offset?: number;
}

/** A problem of a whole document, or where no line is given of a file. */
export function problemAt(
  { file, line = 1 }: { file: string; line?: number },
  message: string,
  hint?: string,
): SpecProblem {
  return { file, line, column: 1, message, ...(hint === undefined ? {} : { hint }) };
}

/** `file:line:column: message — hint`, the form in which terminals and editors make it a link. */
export function formatProblem(problem: SpecProblem): string {
  const hint = problem.hint === undefined ? '' : ` — ${problem.hint}`;
  return `${problem.file}:${problem.line}:${problem.column}: ${problem.message}${hint}`;
}

/** `did you mean "branches"?` for the known word nearest to `word`; undefined when none is near. */
export function didYouMean(word: string, known: readonly string[]): string | undefined {
  const limit = Math.max(1, Math.floor(word.length / 3) + 1);
  let best: { candidate: string; distance: number } | undefined;
  for (const candidate of known) {
    const distance = leven(word.slice(0, 100).toLowerCase(), candidate.toLowerCase());
    if (distance <= limit && distance < (best?.distance ?? Infinity))
      best = { candidate, distance };
  }
  return best === undefined ? undefined : `did you mean "${best.candidate}"?`;
}
