import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  formatLimit,
  limitsWithin,
  parseLimit,
  type LimitName,
} from '../../src/lib/step-limits.ts';

test('a limit is read as it is written, and what is none or out of bounds is not', () => {
  const read: [LimitName, string, number | undefined][] = [
    ['cpu', '10m', 600],
    ['cpu', '1s', 1],
    ['cpu', '1500ms', undefined],
    ['cpu', '25h', undefined],
    ['cpu', '10', undefined],
    ['memory', '512Mi', 512 * 2 ** 20],
    ['memory', '2Gi', 2 ** 31],
    ['memory', String(2 ** 24), 2 ** 24],
    ['memory', '1Mi', undefined],
    ['memory', '2G', undefined],
    ['memory', '-2Gi', undefined],
    ['memory', '999999999999Ti', undefined],
    ['processes', '512', 512],
    ['processes', '0', undefined],
    ['processes', '5Ki', undefined],
    ['files', '1024', 1024],
    ['files', '1024; touch pwned', undefined],
    ['files', '8', undefined],
  ];
  for (const [name, text, value] of read)
    assert.equal(parseLimit(name, text), value, `${name} ${text}`);
});

test('a limit is shown as people write it', () => {
  assert.equal(formatLimit('cpu', 600), '10m 00s');
  assert.equal(formatLimit('memory', 2 ** 31), '2Gi');
  assert.equal(formatLimit('memory', 1536 * 2 ** 20), '1536Mi');
  assert.equal(formatLimit('files', 1024), '1024');
});

test('the operator fills in what a spec leaves open, and bounds the rest', () => {
  assert.deepEqual(limitsWithin({ cpu: 10, files: 4096 }, { files: 1024, processes: 9 }), {
    cpu: 10,
    files: 1024,
    processes: 9,
  });
  assert.deepEqual(limitsWithin({}, {}), {});
});
