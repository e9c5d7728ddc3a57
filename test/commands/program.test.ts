import assert from 'node:assert/strict';
import { PassThrough, Writable } from 'node:stream';
import { test } from 'node:test';
import { createProgram, runProgram } from '../../src/commands/program.ts';
import { runCommand } from './run-command.ts';
import { NOBODY_AT, startAnswering } from './server.ts';

test('the help names every command and the exit codes', async () => {
  const { code, stdout, stderr } = await runCommand(['--help']);
  assert.equal(code, 0);
  assert.equal(stderr, '');
  const commands =
    'serve demo validate explain send runs logs retry cancel rollback replay doctor schema';
  for (const name of commands.split(' ')) assert.match(stdout, new RegExp(`^  ${name}\\b`, 'm'));
  assert.match(stdout, /Exit codes:/);
  assert.doesNotMatch(stdout, /\u001b/);
});

test('every command, argument and option is described', async () => {
  const stream = new PassThrough();
  const program = await createProgram({
    env: {},
    stdout: stream,
    stderr: stream,
    version: '1.2.3',
    signal: new AbortController().signal,
    serve: async () => 0,
  });
  for (const command of program.commands) {
    assert.notEqual(command.description(), '', command.name());
    for (const part of [...command.registeredArguments, ...command.options]) {
      assert.notEqual(part.description, '', `${command.name()} ${part.name()}`);
    }
  }
});

test('a command line reads the file of its own command, behind options too', async () => {
  const { code, stdout } = await runCommand(['--server', 'http://127.0.0.1:1', 'runs', '--help']);
  assert.equal(code, 0);
  assert.match(stdout, /^Usage: mainsheet runs /);
  const stream = new PassThrough();
  const deps = { env: {}, stdout: stream, stderr: stream, version: '1.2.3' };
  const program = await createProgram(
    { ...deps, signal: new AbortController().signal, serve: async () => 0 },
    undefined,
    'runs',
  );
  assert.deepEqual(
    program.commands.map((command) => command.name()),
    ['runs', 'help'],
  );
});

test('the help is coloured on a terminal and not with NO_COLOR', async () => {
  assert.match((await runCommand(['--help'], { columns: 100 })).stdout, /\u001b\[1m/);
  const plain = await runCommand(['--help'], { columns: 100, env: { NO_COLOR: '1' } });
  assert.doesNotMatch(plain.stdout, /\u001b/);
});

test('an unknown command is a usage error that names the nearest one', async () => {
  const { code, stdout, stderr } = await runCommand(['validat']);
  assert.equal(code, 2);
  assert.equal(stdout, '');
  assert.match(
    stderr,
    /^mainsheet: unknown command 'validat'\n\(Did you mean validate\?\)\n {2}hint: --help/,
  );
});

test('variables that no command can work with are usage errors, which show no secret', async () => {
  const wrong: Record<string, string>[] = [
    { MAINSHEET_URL: 'notaurl' },
    { PORT: 'swordfish' },
    { MAINSHEET_ADMIN_TOKEN: 'sword fish' },
    { MAINSHEET_ADMIN_TOKEN: '', MAINSHEET_ADMIN_TOKEN_FILE: '/nonexistent' },
  ];
  for (const env of wrong) {
    const { code, stderr } = await runCommand(['runs'], { env });
    assert.equal(code, 2, JSON.stringify(env));
    assert.match(stderr, /MAINSHEET_URL|PORT|MAINSHEET_ADMIN_TOKEN/);
    assert.doesNotMatch(stderr, /sword ?fish/);
  }
  const limits = await runCommand(['validate'], { env: { MAINSHEET_STEP_LIMITS: 'cpu=lots' } });
  assert.equal(limits.code, 2);
});

test('help for a command that is not there says so, and runs nothing', async () => {
  const unknown = {
    'help nosuch': /^mainsheet: unknown command 'nosuch'\n {2}hint: .*\n$/,
    'help validat':
      /^mainsheet: unknown command 'validat'\n\(Did you mean validate\?\)\n {2}hint: .*\n$/,
    'help migrate nosuch': /^mainsheet: unknown command 'nosuch'\n {2}hint: .*\n$/,
    'help schema extra': /^mainsheet: unknown command 'schema extra'\n {2}hint: .*\n$/,
  };
  for (const [line, said] of Object.entries(unknown)) {
    const { code, stdout, stderr } = await runCommand(line.split(' '));
    assert.deepEqual([code, stdout], [2, ''], line);
    assert.match(stderr, said);
  }
  const known = await runCommand(['help', 'migrate', 'sqlite-to-postgres']);
  assert.equal(known.code, 0);
  assert.match(known.stdout, /^Usage: mainsheet migrate sqlite-to-postgres /);
});

test('missing and malformed arguments are usage errors', async () => {
  for (const argv of [
    [],
    ['retry'],
    ['retry', '../../outbox/1'],
    ['runs', '--state', 'odd'],
    ['runs', '--limit', '0'],
    ['runs', '--limti', '1'],
    ['send', 'push'],
    ['send', 'PUSH!', '--payload', '-'],
    ['explain'],
    ['explain', 'some-id', '--event', 'push', '--payload', '-'],
    ['explain', '--event', 'push'],
    ['schema', 'extra'],
  ]) {
    const { code, stdout, stderr } = await runCommand(argv);
    assert.equal(code, 2, argv.join(' '));
    assert.equal(stdout, '', argv.join(' '));
    assert.notEqual(stderr, '', argv.join(' '));
  }
});

test("serve's exit code is the program's", async () => {
  const stream = new PassThrough();
  const deps = {
    env: {},
    stdout: stream,
    stderr: stream,
    version: '1.2.3',
    signal: new AbortController().signal,
    serve: async () => 3,
  };
  assert.equal(await runProgram(deps, ['serve']), 3);
});

test('a server that is not there is said in two lines, without a stack, and exit code 3', async () => {
  const url = NOBODY_AT;
  const { code, stdout, stderr } = await runCommand(['runs', '--server', url]);
  assert.equal(code, 3);
  assert.equal(stdout, '');
  const [error, hint, ...rest] = stderr.trimEnd().split('\n');
  assert.match(
    error ?? '',
    new RegExp(`^mainsheet: cannot reach Mainsheet at ${url}: .*ECONNREFUSED`),
  );
  assert.match(hint ?? '', /^ {2}hint: is "mainsheet serve" running\? set MAINSHEET_URL/);
  assert.deepEqual(rest, []);
});

test('LOG_LEVEL=debug adds the stack', async () => {
  const env = { MAINSHEET_URL: NOBODY_AT, LOG_LEVEL: 'debug' };
  assert.match((await runCommand(['runs'], { env })).stderr, /\n {4}at /);
});

test('the server is where --server, MAINSHEET_URL and PORT say, in this order', async () => {
  const [given, set] = [NOBODY_AT, 'http://127.0.0.1:3'];
  const env = { MAINSHEET_URL: `${set}/`, PORT: '1' };
  const said = async (argv: string[], variables: Record<string, string>) =>
    (await runCommand(argv, { env: variables })).stderr;
  assert.match(await said(['runs', '--server', given], env), new RegExp(`at ${given}:`));
  assert.match(await said(['runs'], env), new RegExp(`at ${set}:`));
  assert.match(await said(['runs'], { PORT: '1' }), /at http:\/\/127\.0\.0\.1:1:/);
});

test('a server URL with credentials or of another kind is refused', async () => {
  for (const url of [
    'notaurl',
    'ftp://example.com',
    'localhost:3000',
    'http://me:secret@127.0.0.1:1',
  ]) {
    const { code, stderr } = await runCommand(['runs', '--server', url]);
    assert.equal(code, 2);
    assert.match(stderr, /--server is not an http or https URL/);
    assert.doesNotMatch(stderr, /secret/);
  }
});

test('another program at the address is recognised as one', async () => {
  const server = await startAnswering((_request, response) => response.end('<html>hello</html>'));
  try {
    const { code, stderr } = await runCommand(['runs', '--server', server.url]);
    assert.equal(code, 3);
    assert.match(stderr, /answered 200, but not as Mainsheet does/);
  } finally {
    await server.close();
  }
});

test('the token is not taken along a redirect', async () => {
  const asked: string[] = [];
  const other = await startAnswering((request, response) => {
    asked.push(String(request.headers.authorization));
    response.end('{}');
  });
  const server = await startAnswering((_request, response) =>
    response.writeHead(302, { Location: `${other.url}/api` }).end(),
  );
  try {
    const { code, stderr } = await runCommand(['runs', '--server', server.url], {
      env: { MAINSHEET_ADMIN_TOKEN: 'the-token' },
    });
    assert.equal(code, 3);
    assert.match(stderr, new RegExp(`redirects to ${other.url}/api`));
    assert.deepEqual(asked, []);
  } finally {
    await server.close();
    await other.close();
  }
});

test('what the server says to programs that speak HTTP is said in words of the command line', async () => {
  for (const code of ['token-missing', 'no-such-route', 'invalid-query', 'invalid-cursor']) {
    const problem = { code, detail: 'x', hint: 'GET /api/v1/openapi.json with Authorization' };
    const server = await startAnswering((_request, response) =>
      response.writeHead(400).end(JSON.stringify(problem)),
    );
    try {
      const { stderr } = await runCommand(['runs', '--server', server.url]);
      assert.match(stderr, /hint: .*(MAINSHEET_ADMIN_TOKEN|mainsheet --version|--cursor)/, code);
      assert.doesNotMatch(stderr, /api\/v1|Authorization/);
    } finally {
      await server.close();
    }
  }
});

test("an error message from the server cannot steer the reader's terminal", async () => {
  const detail = 'there is\n\u001b[2J\u001b]0;x\u0007 no run';
  const server = await startAnswering((_request, response) =>
    response.writeHead(404).end(JSON.stringify({ code: 'run-unknown', detail })),
  );
  try {
    const { stderr } = await runCommand(['retry', 'x', '--server', server.url], { columns: 80 });
    assert.match(stderr, /there is \]0;x no run\n$/);
    assert.doesNotMatch(stderr.replaceAll(/\u001b\[\d+m/g, ''), /\u001b/);
  } finally {
    await server.close();
  }
});

test('a user who stops a command while it waits gets 130 and no error', async () => {
  const waiting = Promise.withResolvers<void>();
  const server = await startAnswering(() => waiting.resolve());
  const stop = new AbortController();
  try {
    const running = runCommand(['runs', '--server', server.url], { signal: stop.signal });
    await waiting.promise;
    stop.abort();
    assert.deepEqual(await running, { code: 130, stdout: '', stderr: '' });
  } finally {
    await server.close();
  }
});

test('a reader that has had enough is no error', async () => {
  const stdout = new Writable({
    write: (_chunk, _encoding, done) =>
      done(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' })),
  });
  const stderr = new PassThrough();
  const deps = {
    env: {},
    stdout,
    stderr,
    version: '1.2.3',
    signal: new AbortController().signal,
    serve: async () => 0,
  };
  assert.equal(await runProgram(deps, ['schema']), 0);
});
