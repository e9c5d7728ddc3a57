import assert from 'node:assert/strict';
import { test } from 'node:test';
import { excerptOf } from '../../src/spec/excerpt.ts';

test('an excerpt is the line with a caret under the column, whatever stands in the line', () => {
  const rows: [string, number, string | undefined][] = [
    ['name: shop', 7, 'name: shop\n      ^'],
    ['    - run: make', 7, '- run: make\n  ^'],
    ['name: shop\r', 40, 'name: shop\n          ^'],
    ['', 1, undefined],
    ['  \t', 2, undefined],
    ['a\tb\u001bc\u202ed\u{e0001}e', 9, 'a b\uFFFDc\uFFFDd\uFFFD\uFFFDe\n        ^'],
    [`${'a'.repeat(300)}X`, 301, `…${'a'.repeat(159)}X\n${' '.repeat(160)}^`],
    [`X${'a'.repeat(300)}`, 1, `X${'a'.repeat(159)}…\n^`],
    [
      `${'a'.repeat(200)}X${'b'.repeat(200)}`,
      201,
      `…${'a'.repeat(80)}X${'b'.repeat(79)}…\n${' '.repeat(81)}^`,
    ],
    [`${' '.repeat(300)}x`, 301, 'x\n^'],
  ];
  for (const [line, column, expected] of rows) {
    assert.equal(excerptOf(['first', line], { line: 2, column }), expected, JSON.stringify(line));
  }
  assert.equal(excerptOf(['a'], { line: 2, column: 1 }), undefined);
  assert.ok(
    excerptOf([`${'a'.repeat(79)}${'😀'.repeat(100)}`], { line: 1, column: 1 })?.isWellFormed(),
  );
});
