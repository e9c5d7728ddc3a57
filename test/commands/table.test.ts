import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatTable } from '../../src/commands/table.ts';

const COLUMNS = [
  { title: 'ID', cell: (row: { id: string; text: string }) => row.id },
  { title: 'TEXT', cell: (row: { id: string; text: string }) => row.text },
];
const plain = { columns: undefined, paint: (_style: string, text: string) => text };

test('columns are as wide as their widest cell, and lines have no blanks at their end', () => {
  const rows = [
    { id: 'a', text: 'one' },
    { id: 'ünïcödé', text: '' },
  ];
  assert.deepEqual(formatTable(rows, COLUMNS, plain), ['ID       TEXT', 'a        one', 'ünïcödé']);
});

test('a cell cannot begin a line of its own or steer the terminal', () => {
  const rows = [{ id: 'a', text: 'x\nb  forged\u001b[2J\u009b1A\r' }];
  assert.deepEqual(formatTable(rows, COLUMNS, plain), ['ID  TEXT', 'a   x b forged1A']);
});

test('on a terminal the last column is cut to the rest of the line', () => {
  const rows = [{ id: 'a', text: 'x'.repeat(100) }];
  const [, line] = formatTable(rows, COLUMNS, { ...plain, columns: 40 });
  assert.equal(line?.length, 40);
  assert.match(line ?? '', /x…$/);
});
