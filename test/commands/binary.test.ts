import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';

const BINARY = fileURLToPath(new URL('../../bin/mainsheet.js', import.meta.url));
const PACKAGE = fileURLToPath(new URL('../../package.json', import.meta.url));

const mainsheet = (...argv: string[]) => mainsheetWith({}, ...argv);

const mainsheetWith = (env: Record<string, string>, ...argv: string[]) =>
  execa(process.execPath, [BINARY, ...argv], { reject: false, extendEnv: false, env });

test('the binary prints its version, knows its commands, and answers with exit codes', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'mainsheet-binary-'));
  try {
    const broken = join(directory, 'broken.yaml');
    await writeFile(broken, 'name: storefront\nodd: 1\n');
    const { version } = JSON.parse(await readFile(PACKAGE, 'utf8'));

    const printed = await mainsheet('--version');
    assert.deepEqual([printed.exitCode, printed.stdout, printed.stderr], [0, version, '']);
    const unknown = await mainsheet('doctr');
    assert.equal(unknown.exitCode, 2);
    assert.match(unknown.stderr, /unknown command 'doctr'\n\(Did you mean doctor\?\)/);
    const invalid = await mainsheet('validate', broken);
    assert.equal(invalid.exitCode, 1, invalid.stderr);
    assert.match(invalid.stdout, /broken\.yaml:2:1: .*odd/);
    const missing = await mainsheet('validate', join(directory, 'nowhere'));
    assert.equal(missing.exitCode, 3);
    assert.doesNotMatch(missing.stderr, /\n +at /);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});

test('serve that refuses its configuration names misspelt variables beside the problems', async () => {
  const refused = await mainsheetWith(
    { MAINSHEET_GITHUB_WEBHOOK_SECRET: 'a-secret', PORT: 'high' },
    'serve',
  );
  assert.equal(refused.exitCode, 2);
  assert.deepEqual(refused.stderr.split('\n'), [
    'mainsheet: GITHUB_WEBHOOK_SECRET is not set: set it to the secret of the webhook ("openssl rand -hex 32" makes one), or GITHUB_WEBHOOK_SECRET_FILE to a file with it',
    'mainsheet: PORT is "high": set a whole number from 0 to 65535',
    'mainsheet: warning: MAINSHEET_GITHUB_WEBHOOK_SECRET is not a variable that Mainsheet knows: did you mean GITHUB_WEBHOOK_SECRET?',
  ]);
});
