import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const MIB = 1024 * 1024;
const run = promisify(execFile);
const childIn = (name: string) => fileURLToPath(new URL(name, import.meta.url));

test('the space for new objects grows as work needs it, again after it was idle, and never to the 128 MB that V8 would give it', async () => {
  const { stdout } = await run(process.execPath, [childIn('heap-child.ts')]);
  const [grown = 0, idle = 0, again = 0] = (JSON.parse(stdout) as number[]).map((n) => n / MIB);
  for (const size of [grown, again]) assert.ok(size >= 8 && size <= 40, stdout);
  assert.ok(idle <= 2, stdout);
});

test('a server that is killed has kept what it compiled, for the next start', async (t) => {
  const cache = await mkdtemp(join(tmpdir(), 'mainsheet-heap-'));
  t.after(() => rm(cache, { recursive: true, force: true }));
  const env = { ...process.env, NODE_COMPILE_CACHE: cache };
  const child = spawn(process.execPath, [childIn('heap-cache-child.ts')], { env });
  await once(child.stdout, 'data');
  child.kill('SIGKILL');
  await once(child, 'close');
  const kept = await readdir(cache, { recursive: true, withFileTypes: true });
  assert.ok(kept.some((entry) => entry.isFile()));
});
