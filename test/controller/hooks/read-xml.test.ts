import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readXml } from '../../../src/controller/hooks/read-xml.ts';

test('ends of lines are read as one character, and many of them take no longer than other text', () => {
  assert.deepEqual(readXml('<a>1\r\n2\r3\n</a>'), { a: '1\n2\n3\n' });
  const cpu = (body: string) => {
    const before = process.cpuUsage();
    readXml(`<a>${body}</a>`);
    const { user, system } = process.cpuUsage(before);
    return user + system;
  };
  const others = Math.min(cpu('ab'.repeat(100_000)), cpu('ab'.repeat(100_000)));
  // The square of the length made it some thousand times as long.
  assert.ok(cpu('\r\n'.repeat(100_000)) < others + 500_000);
});
