import assert from 'node:assert/strict';
import { test } from 'node:test';
import { didYouMean, formatProblem } from '../../src/spec/problem.ts';

test('a problem is a link for terminals and editors, and ends with what to do', () => {
  const problem = { file: 'a/b.yaml', line: 3, column: 7, message: 'unknown key "brunches"' };
  assert.equal(formatProblem(problem), 'a/b.yaml:3:7: unknown key "brunches"');
  assert.equal(
    formatProblem({ ...problem, hint: 'did you mean "branches"?' }),
    'a/b.yaml:3:7: unknown key "brunches" — did you mean "branches"?',
  );
});

test('only a word that is near is suggested, the nearest first', () => {
  assert.equal(didYouMean('brunches', ['paths', 'branches']), 'did you mean "branches"?');
  assert.equal(didYouMean('Tag', ['tags', 'paths']), 'did you mean "tags"?');
  assert.equal(didYouMean('kubernetes', ['tags', 'paths']), undefined);
});
