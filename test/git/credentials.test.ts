import assert from 'node:assert/strict';
import { readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { commandLines, createFixture, until } from './fixture.ts';

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
  { timeout: 60_000 },
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
