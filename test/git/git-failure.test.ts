import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gitFailure } from '../../src/git/git-failure.ts';

const codeOf = (stderr: string) => {
  const { name, code } = gitFailure('fetching a/b', { exitCode: 128, stderr });
  return `${name} ${code}`;
};

test('what git says becomes a code that says whether trying again may help', () => {
  const known: Record<string, string> = {
    "fatal: unable to access 'http://x/': Could not resolve host: x":
      'RetryableError git-unreachable',
    'error: RPC failed; curl 56 Recv failure: Connection reset by peer':
      'RetryableError git-unreachable',
    'fatal: the remote end hung up unexpectedly': 'RetryableError git-unreachable',
    'error: RPC failed; HTTP 502 curl 22 The requested URL returned error: 502':
      'RetryableError git-server',
    'remote: Repository not found.\nfatal: repository "x" not found\nThe requested URL returned error: 404':
      'TerminalError repository-not-found',
    'fatal: remote error: upload-pack: not our ref 1234': 'TerminalError commit-missing',
    'fatal: write error: No space left on device': 'RetryableError disk-full',
    'error: object file ./objects/12/34 is empty\nfatal: loose object 1234 is corrupt':
      'RetryableError git-damaged',
    'spawn git ENOENT': 'TerminalError git-missing',
    'fatal: something new': 'RetryableError git-failed',
  };
  for (const [stderr, expected] of Object.entries(known)) {
    assert.equal(codeOf(stderr), expected, stderr);
  }
});

test('what the server says of itself does not condemn our copy', () => {
  for (const before of ['', 'a line\u2028', 'a line\u2029']) {
    const said = `remote: ${before}fatal: bad object 1234\nfatal: gone`;
    assert.equal(codeOf(said), 'RetryableError git-failed', JSON.stringify(said));
  }
});

test('of what git says at length the beginning and the end are looked at', () => {
  const names = 'error: unable to create file a: b\n'.repeat(31_000);
  const full = 'fatal: write error: No space left on device\n';
  assert.equal(codeOf(full + names), 'RetryableError disk-full');
  assert.equal(codeOf(names + full), 'RetryableError disk-full');
  assert.equal(codeOf(names + full + names), 'RetryableError git-failed');
});

test('a message has no secret in any form, one line and a bounded length', () => {
  const secret = 'ghs_geheim1234567890';
  const basic = Buffer.from(`x-access-token:${secret}`).toString('base64');
  const stderr = [
    `fatal: ${secret} and ${encodeURIComponent(secret)} and Basic ${basic}`,
    `fatal: unable to access 'https://x-access-token:${secret}@example.test/a/b.git'`,
    "fatal: unable to access 'https://other:unknown@example.test/a/b.git'",
    'hint: not this',
    '\u001b[31mred',
    'x'.repeat(10_000),
  ].join('\n');
  const { message } = gitFailure('fetching a/b', { exitCode: 1, stderr }, [secret, basic]);
  for (const part of ['geheim', basic.slice(8, 30), 'unknown', 'hint:', '\n', '\u001b']) {
    assert.equal(message.includes(part), false, part);
  }
  assert.ok(message.startsWith('fetching a/b failed: ') && message.length < 700);
});
