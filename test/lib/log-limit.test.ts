import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import * as fc from 'fast-check';
import { createLogLimit } from '../../src/lib/log-limit.ts';

test('a log within the bound is passed through at once', () => {
  const limit = createLogLimit({ maxBytes: 10, tailBytes: 4 });
  assert.equal(limit.push('hello'), 'hello');
  assert.equal(limit.push('12345'), '12345');
  assert.equal(limit.flush(), '');
});

test('a log that exceeds the bound by no more than its tail loses nothing', () => {
  const limit = createLogLimit({ maxBytes: 4, tailBytes: 4 });
  assert.equal(limit.push('12345678'), '1234');
  assert.equal(limit.flush(), '5678');
});

test('beyond the bound only the end is kept, behind one line that says how much is missing', () => {
  const limit = createLogLimit({ maxBytes: 16, tailBytes: 24 });
  let output = '';
  for (let line = 0; line < 100; line += 1) output += limit.push(`line ${line}\n`);
  assert.equal(output, 'line 0\nline 1\nli');
  assert.equal(
    limit.flush(),
    '\n… 758 bytes of output left out: the log is limited to 16 bytes and its end …\nline 98\nline 99\n',
  );
});

test('the parts of a log add up, and no character is cut in two', () => {
  const scene = fc.record({
    pieces: fc.array(fc.string({ unit: 'binary', maxLength: 40 }), { maxLength: 30 }),
    maxBytes: fc.nat(100),
    tailBytes: fc.nat(100),
  });
  fc.assert(
    fc.property(scene, ({ pieces, maxBytes, tailBytes }) => {
      const limit = createLogLimit({ maxBytes, tailBytes });
      const whole = pieces.join('');
      const head = pieces.map((piece) => limit.push(piece)).join('');
      const end = limit.flush();
      assert.ok(whole.startsWith(head));
      assert.ok(Buffer.byteLength(head) <= maxBytes);
      const [, left, tail = ''] = /^\n?… (\d+) bytes of output[^\n]*\n([^]*)$/.exec(end) ?? [];
      if (left === undefined) {
        assert.equal(head + end, whole);
      } else {
        assert.ok(whole.endsWith(tail));
        assert.ok(Buffer.byteLength(tail) <= tailBytes);
        const sum = Buffer.byteLength(head) + Number(left) + Buffer.byteLength(tail);
        assert.equal(sum, Buffer.byteLength(whole));
      }
    }),
    { numRuns: 2000 },
  );
});

test('a hundred megabytes of output take no more memory than the bound', () => {
  const limit = createLogLimit({ maxBytes: 1024 });
  const piece = 'y\n'.repeat(32 * 1024);
  const before = retained();
  for (let count = 0; count < 1600; count += 1) limit.push(piece);
  assert.ok(retained() - before < 1024 * 1024);
  assert.match(limit.flush(), /^… 99\.9 MiB of output left out/);
});

/** Bytes that are still held after a collection: what the garbage happens to be does not count. */
function retained(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
