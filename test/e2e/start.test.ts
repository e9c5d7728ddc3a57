import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const BINARY = fileURLToPath(new URL('../../bin/mainsheet.js', import.meta.url));

test('SIGTERM ends a start that waits for a database which does not answer', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'mainsheet-start-'));
  const silent = createServer(() => undefined);
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  const { port } = silent.address() as AddressInfo;
  const child = spawn(process.execPath, [BINARY, 'serve'], {
    stdio: 'ignore',
    env: {
      PATH: process.env['PATH'],
      GITHUB_WEBHOOK_SECRET: 'a-secret-of-the-tests',
      MAINSHEET_DATA_DIR: join(directory, 'data'),
      // The start gives up by itself after a while, with another exit code.
      DATABASE_URL: `postgres://me@127.0.0.1:${port}/x`,
    },
  });
  t.after(async () => {
    child.kill('SIGKILL');
    silent.close();
    await rm(directory, { recursive: true, force: true });
  });
  await once(silent, 'connection');
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  assert.deepEqual(await exited, [0, null]);
});
