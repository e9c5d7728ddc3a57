import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeCursor, page } from '../../src/store/page.ts';

const rows = [{ seq: 9 }, { seq: 7 }, { seq: 3 }];
const request = { limit: 2, before: undefined };

test('a page has a cursor only when there is more, and the cursor leads to the rest', () => {
  const first = page(rows, request, ({ seq }) => seq);
  assert.deepEqual(first.items, [9, 7]);
  assert.ok(first.next);
  assert.equal(decodeCursor(first.next), 7);
  assert.deepEqual(
    page(rows.slice(2), request, ({ seq }) => seq),
    { items: [3], next: undefined },
  );
  assert.deepEqual(page(rows.slice(1), request, ({ seq }) => seq).next, undefined);
  assert.deepEqual(
    page([], request, ({ seq }) => seq),
    { items: [], next: undefined },
  );
});

test('a page that is not full goes on where looking ended, and a full one behind its last row', () => {
  const seqOf = ({ seq }: { seq: number }) => seq;
  for (const [given, items, next] of [
    [rows, [9, 7], 7],
    [rows.slice(1), [7, 3], 2],
    [[], [], 2],
  ] as const) {
    const made = page(given, request, seqOf, 2);
    assert.deepEqual([made.items, decodeCursor(made.next ?? '')], [items, next]);
  }
});

test('a cursor needs no escaping in a URL', () => {
  const { next } = page(rows, request, ({ seq }) => seq);
  assert.match(next ?? '', /^[\w-]+$/);
});

test('what no list gave out is refused with what to do', () => {
  const forged = (text: string) => Buffer.from(text).toString('base64url');
  const wrong = [
    '',
    '7',
    'x',
    '%00',
    forged('v2:7'),
    forged('v1:'),
    forged('v1:-7'),
    forged('v1:7 '),
  ];
  for (const cursor of [...wrong, forged('v1:1e9'), forged(`v1:${'9'.repeat(16)}`), '☃']) {
    assert.throws(() => decodeCursor(cursor), { code: 'invalid-cursor', name: 'TerminalError' });
  }
});
