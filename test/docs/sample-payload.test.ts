import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { runCommand } from '../commands/run-command.ts';
import { startServer, WEBHOOK_SECRET, type TestServer } from '../commands/server.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const PAGE = readFileSync(`${ROOT}/docs/specs.md`, 'utf8');

let server: TestServer;
before(async () => {
  server = await startServer();
});
after(() => server.close());

/** The command as the page has it, with what it prints there. */
function documented(command: string): { argv: string[]; printed: string } {
  const [, line = '', printed = ''] =
    new RegExp(`^\\$ mainsheet (${command} .*)\\n([^]*?)\`\`\``, 'm').exec(PAGE) ?? [];
  const argv = line.split(' ').map((word) => word.replace(/^docs\//, `${ROOT}/docs/`));
  return { argv, printed };
}

test('the sample payload is explained as the page says', async () => {
  const { argv, printed } = documented('explain --event');
  const { code, stdout, stderr } = await runCommand(argv);
  assert.deepEqual([code, stdout, stderr], [0, printed, '']);
  assert.match(printed, /^Would deploy site/);
});

test('the sample payload can be sent to a server as the page says', async () => {
  const { argv } = documented('send push --payload');
  const env = { MAINSHEET_URL: server.url, GITHUB_WEBHOOK_SECRET: WEBHOOK_SECRET };
  const { code, stdout, stderr } = await runCommand(argv, { env });
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^202 accepted: delivery /);
});
