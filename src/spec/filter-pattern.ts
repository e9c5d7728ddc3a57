import { TerminalError } from '../lib/errors.ts';
import {
  createAutomaton,
  type Automaton,
  type CharacterSet,
  type State,
} from './filter-automaton.ts';
import { oncePer } from '../lib/once-per.ts';

/** One compiled filter pattern. */
export interface Matcher {
  /** The pattern as written. */
  source: string;
  /** It began with `!`: what it matches is taken out again. */
  negated: boolean;
  states: readonly State[];
  /** Whether the whole value matches what stands after the `!`. */
  matches(value: string): boolean;
}

export interface ListMatch {
  matched: boolean;
  /** The pattern that decided, as written: the last one that matched. Undefined when none did. */
  by: string | undefined;
}

/** Characters in a pattern. Together with the linear matching it bounds what a pattern can cost. */
export const PATTERN_LIMIT = 512;

/** What the automaton of one list of names may remember: there may be many lists, and names are short. */
const NAME_MEMORY = 1000;

/**
 * Compiles one of GitHub's filter patterns: `*` (any characters but `/`), `**` (any characters), `?` and `+` (zero or
 * one, one or more, of the character before), `[]` (one of a set), `\` (the next character as it is), `!` in front
 * (negates). Matching is case-sensitive and covers the whole value. As the cheat sheet's examples show, two stars and a
 * slash at the start of a path segment also match nothing at all, so that `README.md` is found "anywhere", at the root
 * of the repository too.
 *
 * Throws a TerminalError (`bad-pattern`) that says what is wrong with the pattern.
 *
 * https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax#filter-pattern-cheat-sheet
 */
export function compilePattern(pattern: string): Matcher {
  const negated = pattern.startsWith('!');
  const characters = Array.from(negated ? pattern.slice(1) : pattern);
  if (characters.length === 0) throw bad(pattern, 'is empty');
  if (characters.length > PATTERN_LIMIT) {
    throw bad(pattern.slice(0, 40), `is longer than ${PATTERN_LIMIT} characters`);
  }
  const states = parse(pattern, characters);
  let automaton: Automaton | undefined;
  return {
    source: pattern,
    negated,
    states,
    matches: (value) =>
      (automaton ??= createAutomaton([states], NAME_MEMORY)).accepts(value).length > 0,
  };
}

/** A list's patterns, each compiled: once for the very array in the spec, however often they are asked for. */
export const compileList = oncePer((patterns: readonly string[]): readonly Matcher[] =>
  patterns.map(compilePattern),
);

const matcherOf = oncePer((patterns: readonly string[]) => {
  const list = compileList(patterns);
  const automaton = createAutomaton(
    list.map(({ states }) => states),
    NAME_MEMORY,
  );
  return (text: string): ListMatch => {
    const last = list[automaton.accepts(text).at(-1) ?? -1];
    return { matched: last !== undefined && !last.negated, by: last?.source };
  };
});

/** Whether a value is in what the patterns describe. The last pattern that matches decides, so order matters. */
export function matchesList(patterns: readonly string[], value: string): ListMatch {
  return matcherOf(patterns)(value);
}

const ANY: CharacterSet = { members: new Set(), complement: true };
const NO_SLASH: CharacterSet = { members: new Set('/'), complement: true };

function oneOf(...characters: string[]): CharacterSet {
  return { members: new Set(characters), complement: false };
}

function parse(pattern: string, characters: readonly string[]): State[] {
  const states: State[] = [];
  let index = 0;
  while (index < characters.length) {
    const character = characters[index] ?? '';
    if (character === '*') {
      index = star(states, characters, index);
    } else if (character === '?' || character === '+') {
      throw bad(pattern, `has "${character}" with no character before it that it could apply to`);
    } else {
      const atom = readAtom(pattern, characters, index);
      index = quantified(states, atom.reads, characters, atom.next);
    }
  }
  return states;
}

/** Adds the states of a run of stars; returns where the pattern goes on. */
function star(states: State[], characters: readonly string[], start: number): number {
  let next = start;
  while (characters[next] === '*') next += 1;
  const here = states.length;
  if (next - start === 1) {
    states.push({ reads: NO_SLASH, stays: true, skipsTo: [here + 1] });
    return next;
  }
  const startsSegment = start === 0 || characters[start - 1] === '/';
  if (startsSegment && characters[next] === '/') {
    // "Any directories, or none": the way around all of it must not lead past a directory begun and not ended.
    states.push({ reads: oneOf(), stays: false, skipsTo: [here + 1, here + 3] });
    states.push({ reads: ANY, stays: true, skipsTo: [here + 2] });
    states.push({ reads: oneOf('/'), stays: false, skipsTo: [] });
    return next + 1;
  }
  states.push({ reads: ANY, stays: true, skipsTo: [here + 1] });
  return next;
}

/** Adds one character or set, with the `?` or `+` that may follow it; returns where the pattern goes on. */
function quantified(
  states: State[],
  reads: State['reads'],
  characters: readonly string[],
  next: number,
): number {
  const quantifier = characters[next];
  const here = states.length;
  if (quantifier === '?') {
    states.push({ reads, stays: false, skipsTo: [here + 1] });
    return next + 1;
  }
  states.push({ reads, stays: false, skipsTo: [] });
  if (quantifier === '+') {
    states.push({ reads, stays: true, skipsTo: [here + 2] });
    return next + 1;
  }
  return next;
}

function readAtom(
  pattern: string,
  characters: readonly string[],
  start: number,
): { reads: State['reads']; next: number } {
  const character = characters[start];
  if (character === '[') return readSet(pattern, characters, start);
  if (character === '\\') {
    const escaped = characters[start + 1];
    if (escaped === undefined) throw bad(pattern, 'ends with a "\\" that escapes nothing');
    return { reads: oneOf(escaped), next: start + 2 };
  }
  return { reads: oneOf(character ?? ''), next: start + 1 };
}

function readSet(
  pattern: string,
  characters: readonly string[],
  start: number,
): { reads: State['reads']; next: number } {
  const end = characters.indexOf(']', start + 1);
  if (end === -1)
    throw bad(pattern, 'has a "[" without its "]"', 'write \\[ for the bracket itself');
  const members = characters.slice(start + 1, end);
  if (members.length === 0) throw bad(pattern, 'has an empty set "[]"');
  if (members[0] === '^' || members[0] === '!') {
    throw bad(
      pattern,
      `has a set that begins with "${members[0]}"; GitHub's sets cannot be negated`,
      'list what is wanted, then take the rest out with a later pattern that begins with "!"',
    );
  }
  const read = new Set<string>();
  for (let at = 0; at < members.length; at += 1) {
    const from = members[at] ?? '';
    const to = members[at + 2];
    if (members[at + 1] === '-' && to !== undefined) {
      if (!isRange(from, to)) {
        throw bad(
          pattern,
          `has the range "${from}-${to}"`,
          'ranges go upward within a-z, A-Z or 0-9',
        );
      }
      for (let code = from.charCodeAt(0); code <= to.charCodeAt(0); code += 1) {
        read.add(String.fromCharCode(code));
      }
      at += 2;
    } else {
      read.add(from);
    }
  }
  return { reads: { members: read, complement: false }, next: end + 1 };
}

function isRange(from: string, to: string): boolean {
  return (
    from <= to && [/^[a-z]{2}$/, /^[A-Z]{2}$/, /^[0-9]{2}$/].some((kind) => kind.test(from + to))
  );
}

function bad(pattern: string, what: string, hint?: string): TerminalError {
  return new TerminalError('bad-pattern', `the filter pattern "${pattern}" ${what}`, { hint });
}
