import assert from 'node:assert/strict';
import { after, before, test, type TestContext } from 'node:test';
import { until } from '../support/until.ts';
import { pushPayload } from './payloads.ts';
import { runCommand } from './run-command.ts';
import { startAnswering, startServer, WEBHOOK_SECRET, type TestServer } from './server.ts';

let server: TestServer;
before(async () => {
  server = await startServer();
});
after(() => server.close());

const here = () => ({
  env: { MAINSHEET_URL: server.url, GITHUB_WEBHOOK_SECRET: WEBHOOK_SECRET },
});

/** A run that is being executed, as far as the store knows, until the test ends it or is over itself. */
async function running(t: TestContext, sha: string) {
  await runCommand(['send', 'push', '--payload', '-'], {
    ...here(),
    stdin: JSON.stringify(pushPayload({ sha: sha.repeat(40) })),
  });
  const queued = await until('the run is there', async () => {
    const page = { limit: 1, before: undefined };
    return (await server.store.runs.list(page, { sha: sha.repeat(40) })).items[0];
  });
  const run = await server.transitions.commit(queued, { type: 'start' });
  let seq = 0;
  let ended = false;
  // One lane runs one run at a time.
  t.after(() => end('succeed'));
  return {
    id: run.id,
    async write(text: string, step = 0) {
      const at = Date.UTC(2030, 0, 1, 12, 0, seq);
      await server.store.logs.append(run.id, [{ seq, at, step, stream: 'stdout', text }]);
      seq += 1;
      server.news.publish({ kind: 'log', run: run.id });
    },
    end,
  };

  async function end(type: 'succeed' | 'fail'): Promise<void> {
    if (ended) return;
    ended = true;
    const command =
      type === 'succeed'
        ? ({ type, outputs: {} } as const)
        : ({ type, fault: 'step', reason: 'exit code 1' } as const);
    server.transitions.announce(await server.transitions.commit(run, command));
  }
}

test('a log is printed as it is when it goes into a file', async (t) => {
  const run = await running(t, '1');
  await run.write('one\n\u001b[2Jtwo\r\n');
  await run.write('thr');
  await run.write('ee\n');
  const { code, stdout, stderr } = await runCommand(['logs', run.id], here());
  assert.deepEqual(
    { code, stdout, stderr },
    { code: 0, stdout: 'one\n\u001b[2Jtwo\r\nthree\n', stderr: '' },
  );
});

test('on a terminal a log keeps its colours and nothing else', async (t) => {
  const run = await running(t, '2');
  await run.write('\u001b[3');
  await run.write('2mgreen\u001b[0m \u001b]0;owned\u0007\u001b[2J\n');
  const { stdout } = await runCommand(['logs', run.id], { ...here(), columns: 80 });
  assert.equal(stdout, '\u001b[32mgreen\u001b[0m ]0;owned\n\u001b[0m');
});

test('--timestamps gives each line the time it began, followed or not', async (t) => {
  const run = await running(t, '3');
  await run.write('one\ntw');
  await run.write('o\nthree\n');
  await run.end('succeed');
  const expected =
    '2030-01-01T12:00:00.000Z one\n2030-01-01T12:00:00.000Z two\n2030-01-01T12:00:01.000Z three\n';
  assert.equal((await runCommand(['logs', run.id, '-t'], here())).stdout, expected);
  assert.equal((await runCommand(['logs', run.id, '-f', '-t'], here())).stdout, expected);
});

test('a followed log is printed as it grows, until the run ends, and tells how', async (t) => {
  const run = await running(t, '4');
  await run.write('one\n');
  let seen = '';
  const following = runCommand(['logs', '-f', run.id], {
    ...here(),
    onOutput: (stdout) => (seen = stdout),
  });
  await until('the first line is printed', () => seen === 'one\n');
  await run.write('two\n');
  await until('the second line is printed', () => seen === 'one\ntwo\n');
  await run.end('succeed');
  const { code, stderr } = await following;
  assert.equal(code, 0);
  assert.equal(stderr, `mainsheet: run ${run.id}: succeeded\n`);
});

test('on a terminal a followed log has a line before each step, and one alone', async (t) => {
  const run = await running(t, 'a');
  await run.write('fetching\n', -1);
  await run.write('one\n');
  await run.write('two');
  await run.write('three\n', 1);
  await run.end('succeed');
  const env = { ...here().env, NO_COLOR: '1' };
  const { stdout } = await runCommand(['logs', '-f', run.id], { env, columns: 80 });
  assert.equal(stdout, 'fetching\n── Step 1 ──\none\ntwo\n── step 2 ──\nthree\n');
});

test('following a run that fails has exit code 1', async (t) => {
  const run = await running(t, '5');
  await run.write('broken\n');
  await run.end('fail');
  const { code, stdout, stderr } = await runCommand(['logs', '-f', run.id], here());
  assert.equal(code, 1);
  assert.equal(stdout, 'broken\n');
  assert.match(stderr, /: failed\n$/);
});

test('a followed log goes on after a lost connection, without a gap and without repeating', async (t) => {
  const run = await running(t, '6');
  await run.write('one\n');
  let seen = '';
  const following = runCommand(['logs', '-f', run.id], {
    ...here(),
    onOutput: (stdout) => (seen = stdout),
  });
  await until('the first line is printed', () => seen === 'one\n');
  server.dropConnections();
  await run.write('two\n');
  await until('the second line is printed', () => seen.includes('two\n'));
  await run.end('succeed');
  const { code, stdout, stderr } = await following;
  assert.equal(code, 0);
  assert.equal(stdout, 'one\ntwo\n');
  assert.match(stderr, /^mainsheet: the connection was lost; connecting again\n/);
});

test('a user who stops following gets 130', async (t) => {
  const run = await running(t, '7');
  await run.write('one\n');
  const stop = new AbortController();
  const { code, stderr } = await runCommand(['logs', '-f', run.id], {
    ...here(),
    signal: stop.signal,
    onOutput: () => stop.abort(),
  });
  assert.deepEqual({ code, stderr }, { code: 130, stderr: '' });
});

test('a run that ended before its first step has no log: its reason is said, and the exit code is 1', async (t) => {
  const run = await running(t, '8');
  const waiting = await runCommand(['logs', run.id], here());
  assert.deepEqual(waiting, {
    code: 0,
    stdout: '',
    stderr: `mainsheet: run ${run.id}: running: Running\n`,
  });
  await run.end('fail');
  const stderr = `mainsheet: run ${run.id}: failed: exit code 1\n`;
  assert.deepEqual(await runCommand(['logs', run.id], here()), { code: 1, stdout: '', stderr });
  assert.deepEqual(await runCommand(['logs', '-f', run.id], here()), {
    code: 1,
    stdout: '',
    stderr,
  });
});

test('a server that refuses is not asked again', async () => {
  let asked = 0;
  const refusing = await startAnswering((_request, response) => {
    asked += 1;
    response.writeHead(404).end(JSON.stringify({ code: 'run-unknown', detail: 'there is no run' }));
  });
  try {
    const { code } = await runCommand(['logs', '-f', 'x', '--server', refusing.url]);
    assert.equal(code, 3);
    assert.equal(asked, 1);
  } finally {
    await refusing.close();
  }
});
