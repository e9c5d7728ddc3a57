import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toCsv } from '../../src/lib/csv.ts';

test('fields with commas, quotes and ends of lines are quoted', () => {
  assert.equal(
    toCsv([['a,b', 'say "x"', 'two\nlines', 1.5, undefined]]),
    '"a,b","say ""x""","two\nlines",1.5,\r\n',
  );
});

test('a text that a spreadsheet would run begins with a quote sign, a number does not', () => {
  assert.equal(toCsv([['=1+1', '+1', '-1', '@x', '\t=1', -1]]), "'=1+1,'+1,'-1,'@x,'\t=1,-1\r\n");
});
