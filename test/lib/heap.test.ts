import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const MIB = 1024 * 1024;
const CHILD = fileURLToPath(new URL('heap-child.ts', import.meta.url));

test('the space for new objects grows as work needs it, and never to the 128 MB that V8 would give it', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [CHILD]);
  const bytes = Number(stdout);
  assert.ok(bytes >= 8 * MIB && bytes <= 40 * MIB, `${bytes / MIB} MB`);
});
