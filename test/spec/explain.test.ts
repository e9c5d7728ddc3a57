import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allOf, failed, held } from '../../src/model/verdict.ts';
import { formatVerdict } from '../../src/spec/explain.ts';

test('a verdict is one line for the spec and one for each condition', () => {
  const verdict = allOf([held('repository', 'from acme/shop'), failed('if', 'x is false')]);
  assert.equal(
    formatVerdict('shop', verdict),
    '✗ shop: does not deploy\n  ✓ repository  from acme/shop\n  ✗ if          x is false',
  );
  assert.equal(formatVerdict('shop', { matched: true, reasons: [] }), '✓ shop: deploys');
  const back = failed('on.hook.do', 'it was rolled back already');
  assert.match(formatVerdict('shop', back), /^✗ shop: is not rolled back\n/);
});

test('what a hostile name would do to a terminal is written out', () => {
  const text = formatVerdict('shop', failed('if', 'a\u001b[2Jb\nc\u202ed'));
  assert.equal(text.split('\n')[1], '  ✗ if  a\\u{1b}[2Jb\\u{a}c\\u{202e}d');
});
