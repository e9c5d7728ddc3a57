import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CA_FILE, startTls } from '../support/way-out.ts';
import { runCommand } from './run-command.ts';

test('commands trust the own authority too, and say so when it is not named', async (t) => {
  const server = await startTls((_request, response) => {
    response.setHeader('Content-Type', 'application/json').end('{"items":[],"next":null}');
  });
  t.after(() => server.close());
  const argv = ['runs', '--server', `https://127.0.0.1:${server.port}`];
  const wrong = await runCommand(argv);
  assert.notEqual(wrong.code, 0);
  assert.match(wrong.stderr, /certificate[^]*hint: set MAINSHEET_CA_FILE/);
  const right = await runCommand(argv, { env: { MAINSHEET_CA_FILE: CA_FILE } });
  assert.equal(right.code, 0, right.stderr);
});
