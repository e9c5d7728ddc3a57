import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { runCommand } from '../../commands/run-command.ts';
import { startHttp } from '../fixture.ts';
import { logIn } from './browser.ts';

test('what an empty page says to run is a command as it is typed', async (t) => {
  const { url } = await startHttp(t);
  const cookie = await logIn(url);
  const env = { GITHUB_WEBHOOK_SECRET: 'a secret of sixteen', MAINSHEET_URL: url };
  const commands: string[] = [];
  for (const path of ['/', '/runs', '/deliveries', '/specs']) {
    const page = await (await fetch(url + path, { headers: { cookie } })).text();
    commands.push(
      ...(/<code class="command">mainsheet ([^<]+)<\/code>/.exec(page)?.slice(1) ?? []),
    );
  }
  assert.equal(commands.length, 4);
  for (const command of commands) {
    const { code, stderr } = await runCommand(command.split(' '), { env, directory: tmpdir() });
    assert.notEqual(code, 2, `${command}: ${stderr}`);
  }
});
