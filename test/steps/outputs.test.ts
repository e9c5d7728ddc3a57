import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { OutputsError, readOutputs } from '../../src/steps/outputs.ts';

async function outputFile(t: TestContext, text?: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'mainsheet-outputs-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const path = join(directory, 'output');
  if (text !== undefined) await writeFile(path, text);
  return path;
}

for (const [behaviour, text, expected] of [
  ['an empty file means no outputs', '', {}],
  ['each line is an output', 'a=1\nb-2=two words\n', { a: '1', 'b-2': 'two words' }],
  [
    'a value may hold everything but a line break',
    'url=https://x?a=b<<c\n',
    { url: 'https://x?a=b<<c' },
  ],
  ['a value may be empty', 'a=\n', { a: '' }],
  ['the last line needs no line break', 'a=1', { a: '1' }],
  ['empty lines mean nothing', '\na=1\n\n', { a: '1' }],
  ['the last value of a name counts', 'a=1\na=2\n', { a: '2' }],
  ['lines may end as on Windows', 'a=1\r\nb<<E\r\nx\r\ny\r\nE\r\n', { a: '1', b: 'x\ny' }],
  [
    'a heredoc keeps its lines as they are',
    'a<<EOF\n\n b=1 \nEOF2\nEOF\nc=3\n',
    { a: '\n b=1 \nEOF2', c: '3' },
  ],
  ['a heredoc may be empty', 'a<<EOF\nEOF\n', { a: '' }],
] as const) {
  test(`outputs: ${behaviour}`, async (t) => {
    assert.deepEqual(await readOutputs(await outputFile(t, text)), expected);
  });
}

for (const [behaviour, text, message] of [
  [
    'a line without a sign',
    'a=1\nnonsense\n',
    /^line 2 .* neither name=value nor name<<DELIMITER$/,
  ],
  ['a name with a space', 'a b=1\n', /^line 1 /],
  ['no name', '=1\n', /^line 1 /],
  ['the name __proto__', 'a=1\n__proto__=x\n', /^line 2 .*no output can be called "__proto__"$/],
  ['the name constructor', 'constructor<<E\nx\nE\n', /^line 1 .*"constructor"$/],
  ['the name toString', 'toString=x', /^line 1 .*"toString"$/],
  ['a heredoc that never ends', 'x=1\na<<EOF\nvalue\n', /^line 2 .*"a" never ends.*later line$/],
  ['a heredoc without a delimiter', 'a<<\nvalue\n', /^line 1 .*its delimiter is empty$/],
  [
    'more than a hundred outputs',
    Array.from({ length: 101 }, (_, n) => `a${n}=`).join('\n'),
    /more than 100 outputs/,
  ],
  ['more than a mebibyte', `a=${'x'.repeat(1024 * 1024)}`, /more than 1048576 bytes/],
] as const) {
  test(`outputs are refused: ${behaviour}`, async (t) => {
    await assert.rejects(readOutputs(await outputFile(t, text)), (error) => {
      assert.ok(error instanceof OutputsError);
      assert.match(error.message, message);
      assert.ok(!/nonsense|value of it/.test(error.message));
      return true;
    });
  });
}

test('a file that the step removed means no outputs', async (t) => {
  assert.deepEqual(await readOutputs(await outputFile(t)), {});
});

test('a named pipe or a directory in the place of the outputs is refused without waiting', async (t) => {
  const path = await outputFile(t);
  execFileSync('mkfifo', [path]);
  await assert.rejects(readOutputs(path), /not in a regular file/);
  await assert.rejects(readOutputs(join(path, '..')), /not in a regular file/);
});
