import assert from 'node:assert/strict';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { systemClock } from '../../src/lib/clock.ts';
import { openOutputFiles } from '../../src/steps/output-file.ts';
import { until } from '../support/until.ts';

async function setUp(t: TestContext, mostBytes?: number) {
  const directory = await mkdtemp(join(tmpdir(), 'mainsheet-output-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const output = await openOutputFiles(directory, systemClock, mostBytes);
  t.after(() => output.close());
  const seen = { stdout: '', stderr: '' };
  const forwarded = output.forward((stream, text) => (seen[stream] += text));
  const file = () => stat(join(directory, 'stdout'));
  return { output, seen, forwarded, file };
}

test('what is printed to a file is told as it comes, and what came last after the end', async (t) => {
  const { output, seen, forwarded, file } = await setUp(t);
  assert.equal((await file()).mode & 0o777, 0o600);
  writeSync(output.stdout, 'one ');
  writeSync(output.stderr, 'error');
  await until('it is told', () => seen.stdout === 'one ' && seen.stderr === 'error');
  const snowman = Buffer.from('☃');
  writeSync(output.stdout, snowman.subarray(0, 1));
  await until('half a character is not told', () => seen.stdout === 'one ');
  writeSync(output.stdout, snowman.subarray(1));
  output.ended();
  await forwarded;
  assert.deepEqual(seen, { stdout: 'one ☃', stderr: 'error' });
});

test('what is beyond the limit of a file is dropped, and what prints is not stopped', async (t) => {
  const { output, seen, forwarded, file } = await setUp(t, 100);
  for (let line = 0; line < 50; line += 1) {
    writeSync(output.stdout, `${line}`.padEnd(9, '.') + '\n');
    if (line % 10 === 9) await until('it is cut', async () => (await file()).size <= 200);
  }
  output.ended();
  await forwarded;
  assert.equal(seen.stdout.length, 100);
  assert.match(seen.stdout, /^0\.+\n1\.+\n[^]*\n9\.+\n$/);
});
