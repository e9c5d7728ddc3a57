import { createAutomaton } from './filter-automaton.ts';
import { compileList, type Matcher } from './filter-pattern.ts';

/** A list of patterns, and which file of a push decides about it: the first that matches, or the first that does not. */
export interface PathList {
  patterns: readonly string[];
  wanted: 'match' | 'miss';
}

/** The file that was wanted, with the pattern that decided; `undecided` when the work got too much before there was one. */
export type PathAnswer =
  | { kind: 'found'; path: string; by: string | undefined }
  | { kind: 'none' }
  | { kind: 'undecided' };

export type PathAnswers = (list: PathList) => PathAnswer;

/** What is done for one push at most, in steps of the automaton: about a second. A megabyte of paths is a million. */
const WORK_LIMIT = 200_000_000;
/** Longer than any path that a system can open (PATH_MAX of Linux): such a file is not compared. */
export const PATH_LIMIT = 4096;
/** Steps between two places where others can have their turn: a millisecond or two. */
export const TURN_STEPS = 100_000;

/** What is still to be known of a list. */
interface Open {
  list: PathList;
  matchers: readonly Matcher[];
}

/**
 * Compares the files of a push with every list at once: each path is read once, whatever the number of lists and patterns,
 * and lists that say the same count once. Comes back now and then, so that other work can go on meanwhile.
 */
export function* comparePaths(
  lists: readonly PathList[],
  paths: readonly string[],
  limit = WORK_LIMIT,
): Generator<void, PathAnswers> {
  const open = new Map<string, Open>();
  for (const list of lists) {
    open.set(keyOf(list), { list, matchers: compileList(list.patterns) });
  }
  const answers = new Map<string, PathAnswer>();
  const patterns = [...open.entries()].flatMap(([key, { matchers }]) =>
    matchers.map((matcher) => ({ key, matcher })),
  );
  const automaton = createAutomaton(patterns.map(({ matcher }) => matcher.states));
  /** What several paths came to is looked at once. */
  const seen = new Set<readonly number[]>();
  let looked = 0;
  let due = 0;

  for (const path of paths) {
    if (open.size === 0) break;
    if (path.length > PATH_LIMIT || automaton.work() + looked > limit) {
      for (const key of open.keys()) answers.set(key, { kind: 'undecided' });
      open.clear();
      break;
    }
    const accepted = automaton.accepts(path);
    if (!seen.has(accepted)) {
      seen.add(accepted);
      looked += accepted.length + open.size;
      decide(path, accepted);
    }
    if (automaton.work() + looked > due) {
      due = automaton.work() + looked + TURN_STEPS;
      yield;
    }
  }
  for (const key of open.keys()) answers.set(key, { kind: 'none' });
  return (list) => answers.get(keyOf(list)) ?? { kind: 'undecided' };

  /** The last pattern of each list that accepts the path decides about it. */
  function decide(path: string, accepted: readonly number[]): void {
    const last = new Map<string, Matcher>();
    for (const index of accepted) {
      const pattern = patterns[index];
      if (pattern !== undefined) last.set(pattern.key, pattern.matcher);
    }
    for (const [key, { list }] of open) {
      const matcher = last.get(key);
      const matched = matcher !== undefined && !matcher.negated;
      if (matched !== (list.wanted === 'match')) continue;
      answers.set(key, { kind: 'found', path, by: matcher?.source });
      open.delete(key);
    }
  }
}

/** The answers at once, for callers that have nothing else to do. */
export function comparePathsNow(
  lists: readonly PathList[],
  paths: readonly string[],
  limit = WORK_LIMIT,
): PathAnswers {
  const comparing = comparePaths(lists, paths, limit);
  for (;;) {
    const step = comparing.next();
    if (step.done === true) return step.value;
  }
}

function keyOf({ wanted, patterns }: PathList): string {
  return JSON.stringify([wanted, patterns]);
}
