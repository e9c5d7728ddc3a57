import assert from 'node:assert/strict';
import { readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { createMirrors } from '../../src/git/mirrors.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { TerminalError } from '../../src/lib/errors.ts';
import { commandLines, createFixture, silent, until } from './fixture.ts';

const CREDENTIAL = { username: 'x-access-token', password: 'ghs_TopSecret0123456789' };
const BASIC = Buffer.from(`${CREDENTIAL.username}:${CREDENTIAL.password}`).toString('base64');
const FORMS = [CREDENTIAL.password, BASIC, BASIC.slice(4, -4)];

/** Every name, every link and every content below `directory`, as one text. */
async function everything(directory: string): Promise<string> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const texts = entries.map(async (entry) => {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile()) return `${path}\n${await readFile(path, 'latin1')}`;
    return entry.isSymbolicLink() ? `${path}\n${await readlink(path)}` : path;
  });
  return (await Promise.all(texts)).join('\n');
}

test(
  'credentials reach the server, and neither a process list nor a disk',
  { timeout: 300_000 },
  async (t) => {
    const fixture = await createFixture(t, { credential: CREDENTIAL });
    const { data, server, mirrors, checkouts, repository, git } = fixture;
    server.requireAuth(CREDENTIAL.username, CREDENTIAL.password);
    const { promise, resolve } = Promise.withResolvers<void>();
    let hanging = false;
    server.fault = (line) => {
      // The body of the answer: by then all of git's processes run.
      if (!line.startsWith('POST') || hanging) return undefined;
      hanging = true;
      return { kind: 'hang', until: promise };
    };
    const fetched = mirrors.fetch(repository);
    await until(() => hanging);

    const lines = await commandLines();
    const ours = lines.filter((line) => line.includes(server.url));
    assert.ok(
      ours.some((line) => line.includes('remote-http')),
      'the processes are seen',
    );
    const during = await everything(data);
    resolve();
    await fetched;

    const sha = await git('rev-parse', 'HEAD');
    const { directory } = await checkouts.prepare({ lane: 'shop', repository, sha });
    await mirrors.heads(repository);
    const after = await everything(data);
    assert.ok(after.includes(sha) && directory.startsWith(data), 'the files are seen');
    for (const text of [lines.join('\n'), during, after]) {
      for (const form of FORMS) assert.equal(text.includes(form), false);
    }
    assert.ok(server.requests.length > 3);
    for (const { authorization } of server.requests) assert.equal(authorization, `Basic ${BASIC}`);
  },
);

for (const [what, next, works] of [
  ['is replaced by a newer one, once', 'the newer one', true],
  ['is given up when there is no other', 'the old one', false],
] as const) {
  test(`a credential that the server refuses ${what}`, async (t) => {
    const { data, server, repository } = await createFixture(t);
    server.requireAuth('x-access-token', 'the newer one');
    let password: string = 'the old one';
    const refused: string[] = [];
    const mirrors = createMirrors({
      directory: join(data, 'others'),
      serverUrl: server.url,
      credentials: async () => await Promise.resolve({ username: 'x-access-token', password }),
      refused(name) {
        refused.push(name);
        password = next;
      },
      logger: silent,
      clock: systemClock,
      environment: process.env,
    });
    const reading = mirrors.heads(repository);
    if (works) assert.equal((await reading).size, 1);
    else {
      await assert.rejects(
        reading,
        (error) => error instanceof TerminalError && error.code === 'git-authentication',
      );
    }
    assert.deepEqual(refused, [repository]);
    const tried = new Set(server.requests.map(({ authorization }) => authorization));
    assert.equal(tried.size, works ? 2 : 1);
  });
}

test('each server is asked for its own repositories with its own credential, and for no others', async (t) => {
  const first = await createFixture(t);
  const second = await createFixture(t);
  const theirs = { username: 'oauth2', password: 'token of the other' };
  second.server.requireAuth(theirs.username, theirs.password);
  await second.commit({ 'README.md': 'another shop\n' });
  const mirrors = createMirrors({
    directory: join(first.data, 'others'),
    serverUrl: first.server.url,
    credentials: async () => await Promise.resolve(CREDENTIAL),
    others: new Map([['work', { serverUrl: second.server.url, credentials: async () => theirs }]]),
    logger: silent,
    clock: systemClock,
    environment: process.env,
  });
  const [here, there] = ['acme/shop', 'work:acme/shop'];
  const [head, other] = [await mirrors.heads(here), await mirrors.heads(there)];
  assert.equal(head.get('main'), await first.git('rev-parse', 'HEAD'));
  assert.equal(other.get('main'), await second.git('rev-parse', 'HEAD'));
  await mirrors.fetch(here);
  await mirrors.ensureCommit(there, other.get('main') ?? '');
  await assert.rejects(
    mirrors.ensureCommit(here, other.get('main') ?? ''),
    (error) => error instanceof TerminalError && error.code === 'commit-missing',
  );
  assert.notEqual(mirrors.directoryOf(here), mirrors.directoryOf(there));
  const sentTo = ({ server }: typeof first) =>
    new Set(server.requests.map(({ authorization }) => authorization));
  assert.deepEqual(sentTo(first), new Set([`Basic ${BASIC}`]));
  const theirBasic = Buffer.from(`${theirs.username}:${theirs.password}`).toString('base64');
  assert.deepEqual(sentTo(second), new Set([`Basic ${theirBasic}`]));

  await mirrors.retain(new Set([here]));
  assert.deepEqual(await readdir(join(first.data, 'others')), ['acme+shop']);
  const asked = first.server.requests.length;
  await assert.rejects(
    mirrors.heads('unknown:acme/shop'),
    (error) => error instanceof TerminalError && error.code === 'server-unknown',
  );
  assert.equal(first.server.requests.length, asked);
});
