import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runCommand } from './run-command.ts';
import { startServer } from './server.ts';

const TOKEN = 'the-token-of-the-api';

test('login prints a link that opens the dashboard', async () => {
  const server = await startServer({ token: TOKEN });
  try {
    const env = { MAINSHEET_URL: server.url, MAINSHEET_ADMIN_TOKEN: TOKEN };
    const { code, stdout } = await runCommand(['login'], { env });
    assert.equal(code, 0);
    assert.match(stdout, /^http:\/\/127\.0\.0\.1:\d+\/login\?code=[\w-]{43}\n$/);
    const page = await fetch(stdout.trim());
    assert.match(await page.text(), /logs you in as/);
  } finally {
    await server.close();
  }
});
