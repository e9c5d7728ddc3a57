import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { readPayload } from '../../src/commands/payload-file.ts';
import { MainsheetError, TerminalError } from '../../src/lib/errors.ts';
import { readOutputs, OutputsError } from '../../src/steps/outputs.ts';
import { decodeCursor, page } from '../../src/store/page.ts';
import { runs } from './runs.ts';

/** What a step may have put out and no message may show. */
const SECRET = 'hunter2-and-more';

const names = fc.oneof(
  fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_-]{0,8}$/),
  fc.constantFrom('__proto', 'constructed', 'get', '_'),
);

test('outputs are read back as they were written, whichever of the two forms was used', async (t) => {
  const file = await newFile(t);
  /** A value on one line, or one of several lines behind a delimiter that is none of them. */
  const written = fc.oneof(
    fc
      .tuple(
        names,
        fc.oneof(
          fc.string({ unit: 'binary' }).filter((text) => !/[\r\n\ud800-\udfff]/.test(text)),
          fc
            .array(fc.constantFrom('=', '<<', ' ', '\t', '\u2028', '"', 'a', '☃'))
            .map((pieces) => pieces.join('')),
        ),
      )
      .map(([name, value]) => ({ name, value, text: `${name}=${value}\n` })),
    fc
      .tuple(
        names,
        fc.array(fc.constantFrom('', 'a=b', '<<', 'x<<y', 'EOF ', ' EOF', '{"a":1}', '☃')),
      )
      .map(([name, lines]) => ({
        name,
        value: lines.join('\n'),
        text: `${name}<<EOF\n${lines.map((line) => `${line}\n`).join('')}EOF\n`,
      })),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(written, { maxLength: 20 }), async (all) => {
      await writeFile(file, all.map(({ text }) => text).join(''));
      const expected = new Map(all.map(({ name, value }) => [name, value]));
      const outputs = await readOutputs(file);
      assert.deepEqual(new Map(Object.entries(outputs)), expected);
      assert.equal(Object.getPrototypeOf(outputs), Object.prototype);
    }),
    runs(100),
  );
});

test('whatever bytes stand in the file of the outputs, they are outputs or the step’s mistake', async (t) => {
  const file = await newFile(t);
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array)),
    fc
      .array(
        fc.constantFrom(
          'a',
          '=',
          '<<',
          'EOF',
          '\n',
          '\r\n',
          '\r',
          '\0',
          ' ',
          'a=1\n',
          'b<<EOF\n',
          'EOF\n',
          '=',
          '__proto__<<x\n',
          '\ufeff',
          '\u2028',
        ),
        { maxLength: 30 },
      )
      .map((list) => Buffer.from(list.join(''))),
  );
  await fc.assert(
    fc.asyncProperty(bytes, async (start) => {
      const content = Buffer.concat([start, Buffer.from(`\n${SECRET}\nname=${SECRET}\n`)]);
      await writeFile(file, content);
      try {
        const outputs = await readOutputs(file);
        for (const [name, value] of Object.entries(outputs)) {
          assert.match(name, /^[A-Za-z_][A-Za-z0-9_-]*$/);
          assert.ok(typeof value === 'string' && value.length <= content.length);
        }
      } catch (error) {
        assert.ok(error instanceof OutputsError && error.message.length < 500, String(error));
        assert.ok(!error.message.includes(SECRET), error.message);
      }
    }),
    runs(400),
  );
});

test('a cursor that a list gave out leads on from there; any other is refused', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 999_999_999_999_999 }), (seq) => {
      const rows = [{ seq: seq + 1 }, { seq }, { seq: seq - 1 }];
      const { next } = page(rows, { limit: 2, before: undefined }, (row) => row);
      assert.equal(decodeCursor(next ?? ''), seq);
    }),
    runs(300),
  );
  const others = ['-1', '1e3', '1.5', '0x1', '9'.repeat(16), '1\n', ' 1', '1x', '1\0', ''];
  for (const text of others) {
    const cursor = Buffer.from(`v1:${text}`).toString('base64url');
    assert.throws(() => decodeCursor(cursor), { code: 'invalid-cursor' });
  }
  const cursors = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.base64String(),
    fc.string().map((text) => Buffer.from(text).toString('base64url')),
  );
  fc.assert(
    fc.property(cursors, (cursor) => {
      try {
        const seq = decodeCursor(cursor);
        assert.ok(Number.isSafeInteger(seq) && seq >= 0);
      } catch (error) {
        assert.ok(error instanceof TerminalError && error.code === 'invalid-cursor');
      }
    }),
    runs(1500),
  );
});

test('a payload from a file or a pipe is a JSON object, whole, or is refused by name', async () => {
  const contents = fc.oneof(
    fc.json().map(Buffer.from),
    fc.uint8Array({ maxLength: 100 }).map((bytes) => Buffer.from(bytes)),
    fc
      .dictionary(fc.string({ unit: 'binary' }), fc.jsonValue())
      .map((value) => Buffer.from(JSON.stringify(value))),
    fc
      .constantFrom(
        '',
        ' ',
        '\ufeff{}',
        '{"a":1}{"b":2}',
        '{"__proto__":{"a":1}}',
        ' { "a": 1.0 }\n',
      )
      .map(Buffer.from),
  );
  await fc.assert(
    fc.asyncProperty(contents, fc.array(fc.nat(100), { maxLength: 4 }), async (content, cuts) => {
      const borders = [...cuts.map((cut) => cut % (content.length + 1)), content.length].sort(
        (a, b) => a - b,
      );
      async function* pieces() {
        let start = 0;
        for (const end of borders) {
          yield content.subarray(start, end);
          start = end;
        }
      }
      try {
        const { text, payload } = await readPayload('-', pieces());
        assert.equal(text, content.toString());
        assert.deepEqual(payload, JSON.parse(text));
        assert.ok(typeof payload === 'object' && payload !== null && !Array.isArray(payload));
      } catch (error) {
        assert.ok(
          error instanceof MainsheetError && error.code === 'payload-invalid',
          String(error),
        );
        assert.match(error.message, /^standard input /);
      }
    }),
    runs(400),
  );
});

async function newFile(t: { after: (end: () => Promise<void>) => void }): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'mainsheet-fuzz-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  return join(directory, 'outputs');
}
