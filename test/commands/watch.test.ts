import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { until } from '../support/until.ts';
import { ADMIN_TOKEN, asAdmin } from '../support/admin.ts';
import { sampleRun } from '../store/samples.ts';
import { NOBODY_AT, startAnswering, startServer, type TestServer } from './server.ts';
import { runCommand } from './run-command.ts';

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

/** A run of the spec of the server that has just started. */
async function start({ url, store, transitions }: TestServer) {
  const answer = await asAdmin(`${url}/api/v1/specs`);
  const { items } = (await answer.json()) as { items: { lane: string }[] };
  const waiting = await store.runs.insert(sampleRun('a', { lane: items[0]?.lane ?? '' }), [
    'Build',
  ]);
  assert.ok(waiting);
  const run = await transitions.commit(waiting, { type: 'start' });
  transitions.announce(run);
  return {
    async fail(reason: string) {
      const command = { type: 'fail', fault: 'step', reason } as const;
      transitions.announce(await transitions.commit(run, command));
    },
  };
}

test('watched into a file each change is a line, and Ctrl-C ends with exit code 0', async (t) => {
  const server = await startServer();
  t.after(() => server.close());
  const child = spawn(process.execPath, [MAIN, 'runs', '--watch'], {
    env: { MAINSHEET_URL: server.url, MAINSHEET_ADMIN_TOKEN: ADMIN_TOKEN },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => child.kill('SIGKILL'));
  let seen = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (seen += text));
  await until('the place is shown', () => / storefront production none\n/.test(seen));
  const run = await start(server);
  await until('it runs', () => / storefront production running aaaaaaa Checkout\n/.test(seen));
  await run.fail('Broken:\u001b[2J\nbadly');
  await until('it failed', () => /failed aaaaaaa .*\n/.test(seen));
  child.kill('SIGINT');
  assert.deepEqual(await once(child, 'exit'), [0, null]);
  const lines = seen.trimEnd().split('\n');
  assert.equal(lines.length, 3);
  for (const line of lines) assert.match(line, /^\d{4}-\d\d-\d\dT\S+Z storefront production /);
  assert.match(lines[2] ?? '', /failed aaaaaaa Broken: badly$/);
});

test('watched into a file what stays as it is is told once', async (t) => {
  let asked = 0;
  const overview = { places: [], running: [], blocked: [], rolledBack: [], problems: [] };
  const answering = await startAnswering((_request, response) => {
    asked += 1;
    response.setHeader('Content-Type', 'application/json');
    response.end(JSON.stringify({ ...overview, at: String(asked), dead: [{ error: '403' }] }));
  });
  t.after(answering.close);
  const stop = new AbortController();
  const env = { MAINSHEET_URL: answering.url };
  const watching = runCommand(['runs', '--watch'], { env, signal: stop.signal });
  await until('it was asked twice and the answer is read', () => asked === 3);
  stop.abort();
  const { code, stdout } = await watching;
  assert.deepEqual({ code, stdout }, { code: 0, stdout: '1 ! 1 callback given up: 403\n' });
});

test('on a terminal the overview is drawn again in place, and the terminal is left as it was', async (t) => {
  const server = await startServer();
  t.after(() => server.close());
  const stop = new AbortController();
  let seen = '';
  const watching = runCommand(['runs', '--watch'], {
    env: { MAINSHEET_URL: server.url, NO_COLOR: '1' },
    columns: 120,
    signal: stop.signal,
    onOutput: (stdout) => (seen = stdout),
  });
  await until('the place is shown', () => /storefront +production +- +- +- +none/.test(seen));
  await start(server);
  await until('it runs', () => /storefront .* running +aaaaaaa Checkout, \d/.test(seen));
  stop.abort();
  assert.equal((await watching).code, 0);
  const pictures = seen.split('\u001b[H').slice(1);
  assert.ok(pictures.length > 1);
  assert.equal(seen.match(/\u001b\[2J/g)?.length, 1);
  for (const picture of pictures) assert.equal(picture.match(/SPEC +ENVIRONMENT/g)?.length, 1);
  assert.ok(seen.endsWith('\u001b[?7h'));
});

test('watching a server that cannot be reached is an error, and a page cannot be watched', async () => {
  const env = { MAINSHEET_URL: NOBODY_AT };
  const { code, stdout } = await runCommand(['runs', '--watch'], { env, columns: 80 });
  assert.deepEqual({ code, stdout }, { code: 3, stdout: '' });
  assert.equal((await runCommand(['runs', '--watch', '--json'], { env })).code, 2);
});
