import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { TerminalError } from '../../src/lib/errors.ts';
import { createAutomaton } from '../../src/spec/filter-automaton.ts';
import { compilePattern, matchesList, PATTERN_LIMIT } from '../../src/spec/filter-pattern.ts';

/** The rows of GitHub's cheat sheet, in its order, each with names that it says match and some that then cannot. */
const CHEAT_SHEET: [patterns: string[], matching: string[], others: string[]][] = [
  [
    ['feature/*'],
    ['feature/my-branch', 'feature/your-branch'],
    ['feature/a/b', 'feature', 'x/feature/a'],
  ],
  [
    ['feature/**'],
    ['feature/beta-a/my-branch', 'feature/your-branch', 'feature/mona/the/octocat'],
    ['feature', 'features/a'],
  ],
  [
    ['main', 'releases/mona-the-octocat'],
    ['main', 'releases/mona-the-octocat'],
    ['main2', 'a/main', 'Main'],
  ],
  [['*'], ['main', 'releases'], ['all/the/branches']],
  [['**'], ['all/the/branches', 'every/tag'], []],
  [['*feature'], ['mona-feature', 'feature', 'ver-10-feature'], ['feature-x', 'a/feature']],
  [['v2*'], ['v2', 'v2.0', 'v2.9'], ['v1', 'av2', 'v2/x']],
  [['v[12].[0-9]+.[0-9]+'], ['v1.10.1', 'v2.0.0'], ['v3.0.0', 'v1.x.0', 'v1..0', 'v1.0']],
  [['*'], ['README.md', 'server.rb'], ['docs/README.md']],
  [['*.jsx?'], ['page.js', 'page.jsx'], ['page.jsxx', 'page.jx', 'src/page.js']],
  [['**'], ['all/the/files.md'], []],
  [['*.js'], ['app.js', 'index.js'], ['src/app.js', 'app.jsx']],
  [['**.js'], ['index.js', 'js/index.js', 'src/js/app.js'], ['app.ts']],
  [['docs/*'], ['docs/README.md', 'docs/file.txt'], ['docs/a/b', 'x/docs/a']],
  [['docs/**'], ['docs/README.md', 'docs/mona/octocat.txt'], ['docs', 'x/docs/a']],
  [
    ['docs/**/*.md'],
    ['docs/README.md', 'docs/mona/hello-world.md', 'docs/a/markdown/file.md'],
    ['docs.md', 'docs/a.txt', 'x/docs/a.md'],
  ],
  [
    ['**/docs/**'],
    ['docs/hello.md', '/docs/hello.md', 'dir/docs/my-file.txt', 'space/docs/plan/space.doc'],
    ['mydocs/a', 'docs'],
  ],
  [['**/README.md'], ['README.md', 'js/README.md'], ['js/XREADME.md', 'README.md/a']],
  [['**/*src/**'], ['a/src/app.js', 'my-src/code/js/app.js'], ['srcs/a', 'src']],
  [['**/*-post.md'], ['my-post.md', 'path/their-post.md'], ['post.md', 'my-post.md/a']],
  [
    ['**/migrate-*.sql'],
    ['migrate-10909.sql', 'db/migrate-v1.0.sql', 'db/sept/migrate-v1.sql'],
    ['db/migrate-a/b.sql', 'xmigrate-1.sql'],
  ],
  [['*.md', '!README.md'], ['hello.md'], ['README.md', 'docs/hello.md']],
  [['*.md', '!README.md', 'README*'], ['hello.md', 'README.md', 'README.doc'], ['docs/README.md']],
];

for (const [patterns, matching, others] of CHEAT_SHEET) {
  test(`${patterns.join(' ')} matches what GitHub's cheat sheet says`, () => {
    for (const name of matching) assert.equal(matchesList(patterns, name).matched, true, name);
    for (const name of others) assert.equal(matchesList(patterns, name).matched, false, name);
  });
}

test('the examples in the text of the cheat sheet hold', () => {
  assert.ok(compilePattern('Octo*').matches('Octocat'));
  assert.ok(compilePattern('[CB]at').matches('Cat') && compilePattern('[CB]at').matches('Bat'));
  assert.ok(!compilePattern('[CB]at').matches('cat'));
  assert.ok(compilePattern('[1-2]00').matches('100') && compilePattern('[1-2]00').matches('200'));
  assert.ok(!compilePattern('[1-2]00').matches('300'));
});

test('the last pattern that matches decides, and is named', () => {
  assert.deepEqual(matchesList(['**', '!main', 'main'], 'main'), { matched: true, by: 'main' });
  assert.deepEqual(matchesList(['main', '!main'], 'main'), { matched: false, by: '!main' });
  assert.deepEqual(matchesList(['!main', '**'], 'main'), { matched: true, by: '**' });
  assert.deepEqual(matchesList(['v*'], 'main'), { matched: false, by: undefined });
  assert.deepEqual(matchesList([], 'main'), { matched: false, by: undefined });
});

test('"!" means nothing but at the start, and a backslash takes any meaning away', () => {
  assert.ok(compilePattern('a!b').matches('a!b'));
  assert.ok(compilePattern('\\!main').matches('!main') && !compilePattern('\\!main').negated);
  assert.ok(compilePattern('a\\*').matches('a*') && !compilePattern('a\\*').matches('ab'));
  assert.ok(compilePattern('a\\+').matches('a+') && !compilePattern('a\\+').matches('aa'));
  assert.ok(compilePattern('\\[a\\]').matches('[a]'));
});

test('characters that other pattern languages know are only themselves', () => {
  for (const text of ['a.b', '(a|b)', '{a,b}', '^a$', 'a-b', 'ü/日本', '😀']) {
    assert.ok(compilePattern(text).matches(text), text);
  }
  assert.ok(!compilePattern('a.b').matches('axb'));
  assert.ok(compilePattern('😀?x').matches('x'), '"?" applies to a whole character');
});

for (const [pattern, reason] of [
  ['', /is empty/],
  ['!', /is empty/],
  ['+a', /no character before/],
  ['a*?', /no character before/],
  ['a++', /no character before/],
  ['a/**/+', /no character before/],
  ['[ab', /without its/],
  ['[]', /empty set/],
  ['[^a]', /cannot be negated/],
  ['[z-a]', /range "z-a"/],
  ['[A-z]', /range "A-z"/],
  ['a\\', /escapes nothing/],
  ['x'.repeat(PATTERN_LIMIT + 1), /longer than/],
] as const) {
  test(`"${pattern.slice(0, 10)}" is refused with the reason`, () => {
    assert.throws(
      () => compilePattern(pattern),
      (error) =>
        error instanceof TerminalError &&
        error.code === 'bad-pattern' &&
        reason.test(error.message),
    );
  });
}

const piece = fc.constantFrom(
  'a',
  'b',
  '/',
  '*',
  '**',
  '**/',
  'a?',
  'b+',
  '[ab]',
  '[a-b]+',
  '\\*',
  '/?',
);
const patterns = fc.array(piece, { minLength: 1, maxLength: 7 }).map((pieces) => pieces.join(''));
const values = fc
  .array(fc.constantFrom('a', 'b', '/', '*'), { maxLength: 8 })
  .map((c) => c.join(''));

test('any pattern agrees with a naive reading of the rules', () => {
  fc.assert(
    fc.property(patterns, values, (pattern, value) => {
      let matcher;
      try {
        matcher = compilePattern(pattern);
      } catch {
        return true;
      }
      return matcher.matches(value) === naive(pattern, value);
    }),
    { numRuns: 5000 },
  );
});

test('no name makes matching take more steps than states times characters', () => {
  fc.assert(
    fc.property(patterns, fc.nat(400), (pattern, length) => {
      let matcher;
      try {
        matcher = compilePattern(pattern);
      } catch {
        return true;
      }
      const automaton = createAutomaton([matcher.states]);
      automaton.accepts('a'.repeat(length));
      return automaton.work() <= (matcher.states.length + 3) * (length + 1);
    }),
  );
  const hostile = compilePattern(`${'**a'.repeat(80)}!`);
  const automaton = createAutomaton([hostile.states]);
  assert.deepEqual(automaton.accepts('a'.repeat(4000)), []);
  assert.ok(automaton.work() <= (hostile.states.length + 3) * 4001);
});

test('many patterns that are read at once agree with each of them read alone, also when memory is short', () => {
  fc.assert(
    fc.property(
      fc.array(patterns, { maxLength: 6 }),
      fc.array(values, { maxLength: 20 }),
      (list, texts) => {
        const valid = list.filter((pattern) => isPattern(pattern)).map(compilePattern);
        const states = valid.map((matcher) => matcher.states);
        for (const automaton of [createAutomaton(states), createAutomaton(states, 1)]) {
          for (const text of texts) {
            const expected = valid.flatMap(({ matches }, index) => (matches(text) ? [index] : []));
            assert.deepEqual(automaton.accepts(text), expected);
          }
        }
      },
    ),
    { numRuns: 1000 },
  );
});

function isPattern(pattern: string): boolean {
  try {
    compilePattern(pattern);
    return true;
  } catch {
    return false;
  }
}

/** The rules read literally, trying everything: slow, and plainly right. `before` is the pattern's character before. */
function naive(pattern: string, value: string, before = '/'): boolean {
  if (pattern === '') return value === '';
  const stars = /^\*+/.exec(pattern)?.[0].length ?? 0;
  if (stars === 1) {
    const rest = pattern.slice(1);
    for (let end = 0; end <= value.length; end += 1) {
      if (naive(rest, value.slice(end), '*')) return true;
      if (value[end] === '/') return false;
    }
    return false;
  }
  if (stars > 1) {
    const directories = before === '/' && pattern[stars] === '/';
    const rest = pattern.slice(directories ? stars + 1 : stars);
    const last = directories ? '/' : '*';
    for (let end = 0; end <= value.length; end += 1) {
      if (directories && end > 0 && value[end - 1] !== '/') continue;
      if (naive(rest, value.slice(end), last)) return true;
    }
    return false;
  }
  const atom = /^(?:\[[^\]]*\]|\\.|.)/.exec(pattern)?.[0] ?? '';
  const reads = (character: string) =>
    atom.startsWith('[') ? 'ab'.includes(character) : character === atom.at(-1);
  const quantifier = /^[?+]/.exec(pattern.slice(atom.length))?.[0] ?? '';
  const rest = pattern.slice(atom.length + quantifier.length);
  const last = quantifier || (atom.at(-1) ?? '');
  if (quantifier === '?' && naive(rest, value, last)) return true;
  for (let count = 1; count <= value.length && reads(value[count - 1] ?? ''); count += 1) {
    if (naive(rest, value.slice(count), last)) return true;
    if (quantifier !== '+') return false;
  }
  return false;
}
