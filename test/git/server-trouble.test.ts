import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { test, type TestContext } from 'node:test';
import { MainsheetError } from '../../src/lib/errors.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { createMirrors } from '../../src/git/mirrors.ts';
import { commandLines, createFixture, silent, until, type Fixture } from './fixture.ts';

const TIME_LIMIT = { timeout: 300_000 };
const PASSWORD = 'ghs_Geheim/+äöü';
const CREDENTIAL = { username: 'x-access-token', password: PASSWORD };

/** Makes every answer of the server hang until the test ends; resolves when a request hangs. */
function hang(t: TestContext, { server }: Fixture): { hangs: () => boolean } {
  const { promise, resolve } = Promise.withResolvers<void>();
  t.after(() => resolve());
  let hanging = false;
  server.fault = () => {
    hanging = true;
    return { kind: 'hang', until: promise };
  };
  return { hangs: () => hanging };
}

for (const [status, name, code] of [
  [401, 'TerminalError', 'git-authentication'],
  [403, 'TerminalError', 'git-forbidden'],
  [404, 'TerminalError', 'repository-not-found'],
  [429, 'RetryableError', 'git-server'],
  [500, 'RetryableError', 'git-server'],
  [503, 'RetryableError', 'git-server'],
] as const) {
  test(`an answer ${status} of the server is a ${name}`, TIME_LIMIT, async (t) => {
    const { mirrors, repository, server } = await createFixture(t, { credential: CREDENTIAL });
    server.fault = () => ({ kind: 'status', status });
    const calls = [() => mirrors.fetch(repository), () => mirrors.heads(repository)];
    for (const call of calls) {
      await assert.rejects(call, (error) => {
        assert.ok(error instanceof MainsheetError);
        assert.deepEqual([error.name, error.code], [name, code]);
        if (name === 'TerminalError') assert.ok(error.hint, 'it says what to do');
        return true;
      });
    }
  });
}

test('a server that is not there is a RetryableError', TIME_LIMIT, async (t) => {
  const { mirrors, repository, server } = await createFixture(t);
  const { url } = server;
  const gone = createMirrors({
    directory: mirrors.directoryOf(repository),
    serverUrl: url.replace(/:\d+$/, ':1'),
    credentials: async () => await Promise.resolve(undefined),
    logger: silent,
    clock: systemClock,
  });
  const expected = { name: 'RetryableError', code: 'git-unreachable' };
  await assert.rejects(gone.fetch(repository), expected);
});

test('a repository that does not exist is a TerminalError', TIME_LIMIT, async (t) => {
  const { mirrors } = await createFixture(t);
  await assert.rejects(mirrors.fetch('acme/nowhere'), {
    name: 'TerminalError',
    code: 'repository-not-found',
  });
});

test('wrong credentials are a TerminalError that does not repeat them', TIME_LIMIT, async (t) => {
  const { mirrors, repository, server } = await createFixture(t, { credential: CREDENTIAL });
  server.requireAuth('x-access-token', 'another');
  await assert.rejects(mirrors.fetch(repository), (error) => {
    assert.ok(error instanceof MainsheetError);
    assert.equal(error.code, 'git-authentication');
    assert.ok(!`${error.message}${error.stack}`.includes('Geheim'));
    return true;
  });
});

test(
  'a server that asks for credentials where there are none is not said to have refused them',
  TIME_LIMIT,
  async (t) => {
    const { mirrors, repository, server } = await createFixture(t);
    server.requireAuth('x-access-token', 'another');
    await assert.rejects(mirrors.fetch(repository), {
      name: 'TerminalError',
      code: 'git-authentication',
      message: /the server asks for credentials, and there are none for this repository$/,
      hint: /install the GitHub App there, or set GITHUB_TOKEN/,
    });
  },
);

test('credentials are not sent to the place of a redirect', TIME_LIMIT, async (t) => {
  const { mirrors, repository, server } = await createFixture(t, { credential: CREDENTIAL });
  const heard: (string | undefined)[] = [];
  const other = createServer((request, response) => {
    heard.push(request.headers.authorization);
    response.writeHead(404).end();
  });
  other.listen(0, '127.0.0.1');
  await once(other, 'listening');
  t.after(() => other.close());
  const address = other.address();
  assert.ok(typeof address === 'object' && address !== null);
  server.fault = (line) => ({
    kind: 'status',
    status: 302,
    location: `http://localhost:${address.port}${line.split(' ')[1]}`,
  });
  await assert.rejects(mirrors.fetch(repository), { code: 'repository-moved' });
  assert.deepEqual(heard, []);
});

test('a fetch that takes too long is stopped and may be tried again', TIME_LIMIT, async (t) => {
  const fixture = await createFixture(t, { limits: { fetchTimeoutMs: 300 } });
  hang(t, fixture);
  await assert.rejects(fixture.mirrors.fetch(fixture.repository), {
    name: 'RetryableError',
    code: 'git-timeout',
  });
  const left = (await commandLines()).filter((line) => line.includes(fixture.server.url));
  assert.deepEqual(left, []);
});

test('an abort ends git and its children before the call is over', TIME_LIMIT, async (t) => {
  const fixture = await createFixture(t);
  const { hangs } = hang(t, fixture);
  const ours = async () =>
    (await commandLines()).filter((line) => line.includes(fixture.server.url));
  const { mirrors, repository } = fixture;
  const controller = new AbortController();
  const { signal } = controller;
  const calls = Promise.allSettled([
    mirrors.fetch(repository, { signal }),
    mirrors.heads(repository, { signal }),
  ]);
  await until(async () => hangs() && (await ours()).some((line) => line.includes('remote-http')));
  controller.abort(new Error('shutting down'));
  for (const call of await calls) {
    assert.ok(call.status === 'rejected' && call.reason instanceof MainsheetError);
    assert.deepEqual([call.reason.name, call.reason.code], ['RetryableError', 'git-stopped']);
  }
  assert.deepEqual(await ours(), []);
});

test('after an aborted fetch the next one works', TIME_LIMIT, async (t) => {
  const fixture = await createFixture(t);
  const { hangs } = hang(t, fixture);
  const { mirrors, repository, server, git } = fixture;
  const controller = new AbortController();
  const call = mirrors.fetch(repository, { signal: controller.signal });
  await until(hangs);
  controller.abort();
  await assert.rejects(call, { code: 'git-stopped' });
  server.fault = undefined;
  await mirrors.ensureCommit(repository, await git('rev-parse', 'HEAD'));
});
