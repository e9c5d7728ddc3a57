import assert from 'node:assert/strict';
import { test } from 'node:test';
import { codeSpan } from '../../src/lib/code-span.ts';

test('nothing in a code span ends it, starts a line, or is a mention', () => {
  assert.equal(codeSpan('a`b``\n# c @eve'), "`a'b'' # c @\u200beve`");
  assert.equal(codeSpan(''), '` `');
  assert.equal(codeSpan('\u202egnp\u0000 \ud800'), '`gnp \ufffd`');
  assert.equal(codeSpan('x'.repeat(300)).length, 202);
});
