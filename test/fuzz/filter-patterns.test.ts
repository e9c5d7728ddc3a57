import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { TerminalError } from '../../src/lib/errors.ts';
import { createAutomaton } from '../../src/spec/filter-automaton.ts';
import { compilePattern, matchesList, PATTERN_LIMIT } from '../../src/spec/filter-pattern.ts';
import { runs } from './runs.ts';

/** A piece of a pattern: how it is written, and the regular expression that means the same. */
interface Piece {
  kind: 'one' | 'star' | 'stars' | 'directories';
  written: string;
  regExp: string;
  /** Texts that the piece alone matches. */
  samples: string[];
}

const ALPHABET = [
  'a',
  'b',
  'Z',
  '7',
  '.',
  '-',
  'ü',
  '😀',
  '*',
  '?',
  '+',
  '[',
  ']',
  '\\',
  '!',
  '(',
  '|',
  '$',
];
const SPECIAL = new Set(['*', '?', '+', '[', ']', '\\', '!']);

const literals = fc.constantFrom(...ALPHABET, '/', '/').map((character) => ({
  written: SPECIAL.has(character) ? `\\${character}` : character,
  regExp: escaped(character),
  samples: [character],
}));
const sets = fc
  .uniqueArray(fc.constantFrom('a', 'b', 'Z', '7', '.', 'ü', '😀', 'a-c', 'X-Z', '0-8'), {
    minLength: 1,
    maxLength: 3,
  })
  .map((members) => ({
    written: `[${members.join('')}]`,
    regExp: `[${members.join('').replaceAll('.', '\\.')}]`,
    samples: members.map((member) => Array.from(member)[0] ?? ''),
  }));
const ones: fc.Arbitrary<Piece> = fc
  .tuple(
    fc.oneof({ arbitrary: literals, weight: 3 }, { arbitrary: sets, weight: 1 }),
    fc.constantFrom('', '', '', '?', '+'),
  )
  .map(([{ written, regExp, samples }, quantifier]) => ({
    kind: 'one',
    written: written + quantifier,
    regExp: regExp + quantifier,
    samples: [
      ...samples,
      ...(quantifier === '?' ? [''] : []),
      ...(quantifier === '+' ? samples.map((sample) => sample + sample) : []),
    ],
  }));
const wild: fc.Arbitrary<Piece> = fc.constantFrom<Piece>(
  { kind: 'star', written: '*', regExp: '[^/]*', samples: ['', 'a', 'b.7', '*'] },
  { kind: 'stars', written: '**', regExp: '.*', samples: ['', 'a', 'a/b', '/'] },
  { kind: 'directories', written: '**/', regExp: '(?:.*/)?', samples: ['', 'a/', 'a/b/'] },
);
const pieces = fc
  .array(fc.oneof({ arbitrary: ones, weight: 3 }, { arbitrary: wild, weight: 2 }), {
    minLength: 1,
    maxLength: 7,
  })
  .map(written);

/** A pattern's pieces and a value that they match, or that is not far from it. */
const scenes = pieces.chain((list) =>
  fc
    .tuple(
      fc.tuple(...list.map(({ samples }) => fc.constantFrom(...samples))),
      fc.array(fc.tuple(fc.nat(), fc.constantFrom('', ...ALPHABET, '/', '//', 'ab')), {
        maxLength: 2,
      }),
    )
    .map(([texts, edits]) => ({ list, value: edits.reduce(edited, texts.join('')) })),
);

test('a pattern matches what the same regular expression matches', () => {
  let matched = 0;
  let tried = 0;
  fc.assert(
    fc.property(scenes, ({ list, value }) => {
      const pattern = list.map((piece) => piece.written).join('');
      const regExp = new RegExp(`^(?:${list.map((piece) => piece.regExp).join('')})$`, 'su');
      const matches = compilePattern(pattern).matches(value);
      assert.equal(matches, regExp.test(value), `${pattern} and ${JSON.stringify(value)}`);
      matched += matches ? 1 : 0;
      tried += 1;
    }),
    runs(8000),
  );
  assert.ok(matched > tried / 10 && matched < (tried * 9) / 10, `${matched} of ${tried} matched`);
});

test('of a list the last pattern that matches decides, and those before it change nothing', () => {
  const negatable = fc.tuple(fc.boolean(), pieces).map(([negated, list]) => ({
    negated,
    pattern: list.map((piece) => piece.written).join(''),
  }));
  const values = fc.array(fc.constantFrom('a', 'b', '/', '.', '7'), { maxLength: 6 });
  fc.assert(
    fc.property(fc.array(negatable, { maxLength: 6 }), values, (list, characters) => {
      const value = characters.join('');
      const written = list.map(({ negated, pattern }) => (negated ? '!' : '') + pattern);
      // The rule read the other way round: go through all and remember.
      let expected: { matched: boolean; by: string | undefined } = {
        matched: false,
        by: undefined,
      };
      for (const { negated, pattern } of list) {
        if (!compilePattern(pattern).matches(value)) continue;
        expected = { matched: !negated, by: (negated ? '!' : '') + pattern };
      }
      assert.deepEqual(matchesList(written, value), expected);
      // What comes last and matches everything decides alone.
      assert.equal(matchesList([...written, '**'], value).matched, true);
      assert.equal(matchesList([...written, '!**'], value).matched, false);
    }),
    runs(1500),
  );
});

test('one star never crosses a slash, and two cross everything', () => {
  const texts = fc.string({ unit: 'binary', maxLength: 20 });
  fc.assert(
    fc.property(texts, texts, (before, after) => {
      const plain = before.replaceAll('/', '');
      assert.ok(compilePattern('*').matches(plain));
      assert.equal(compilePattern('*').matches(`${before}/${after}`), false);
      assert.ok(compilePattern('**').matches(`${before}/${after}`));
      assert.ok(compilePattern('a**z').matches(`a${before}/${after}z`));
      assert.equal(compilePattern('a*z').matches(`a${before}/${after}z`), false);
    }),
    runs(500),
  );
});

test('any name with a backslash before each character matches itself and nothing else', () => {
  const names = fc.string({ unit: 'binary', minLength: 1, maxLength: 30 });
  fc.assert(
    fc.property(names, names, (name, other) => {
      const pattern = Array.from(name, (character) => `\\${character}`).join('');
      if (Array.from(pattern).length > PATTERN_LIMIT) return;
      assert.ok(compilePattern(pattern).matches(name));
      assert.equal(compilePattern(pattern).matches(other), name === other);
    }),
    runs(1000),
  );
});

test('any text is a pattern or is refused with a reason, and never costs more than its size', () => {
  const texts = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 40 }),
    fc
      .array(
        fc.constantFrom('*', '**', '/', '?', '+', '[', ']', '-', '\\', '!', 'a', 'z', '[a-z]'),
        { maxLength: 30 },
      )
      .map((list) => list.join('')),
    fc
      .tuple(
        fc.constantFrom('**a', '*a', 'a?', 'a+', '**/', '[ab]+*'),
        fc.integer({ min: 1, max: 160 }),
      )
      .map(([piece, times]) => piece.repeat(times)),
  );
  const values = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 60 }),
    fc.nat(300).map((length) => 'a'.repeat(length)),
    fc.nat(150).map((length) => 'a/'.repeat(length)),
  );
  fc.assert(
    fc.property(texts, values, (pattern, value) => {
      let states;
      try {
        ({ states } = compilePattern(pattern));
      } catch (error) {
        assert.ok(error instanceof TerminalError && error.code === 'bad-pattern');
        assert.ok(error.message.length < PATTERN_LIMIT * 3);
        return;
      }
      const length = Array.from(pattern).length;
      assert.ok(states.length <= 3 * length);
      const automaton = createAutomaton([states]);
      automaton.accepts(value);
      assert.ok(automaton.work() <= (states.length + 3) * (value.length + 1));
    }),
    runs(2500),
  );
});

/** What the pieces mean depends on those beside them: here they are put apart, and "any directories" where a segment begins. */
function written(list: readonly Piece[]): Piece[] {
  const result: Piece[] = [];
  for (const piece of list) {
    const last = result.at(-1);
    const isWild = piece.kind !== 'one';
    if (isWild && last !== undefined && (last.kind === 'star' || last.kind === 'stars')) continue;
    // Two stars and a slash mean directories too, and only where a segment begins.
    if (last?.kind === 'stars' && piece.written === '/') continue;
    if (last?.kind === 'stars' && /^\/[?+]$/.test(piece.written)) continue;
    const begins = last === undefined || last.kind === 'directories' || last.written === '/';
    if (piece.kind === 'directories' && !begins) continue;
    result.push(piece);
  }
  return result.length > 0 ? result : [{ kind: 'one', written: 'a', regExp: 'a', samples: ['a'] }];
}

function escaped(character: string): string {
  return /[\\^$.*+?()[\]{}|/]/.test(character) ? `\\${character}` : character;
}

/** Puts something in, in the place of one character. */
function edited(value: string, [at, text]: [number, string]): string {
  const characters = Array.from(value);
  const index = at % (characters.length + 1);
  return [...characters.slice(0, index), text, ...characters.slice(index + 1)].join('');
}
