import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TerminalError } from '../../src/lib/errors.ts';
import { laneDirectory, repositoryDirectory } from '../../src/git/directory-names.ts';
import { checkRef, checkRepository, checkSha } from '../../src/git/refs.ts';

function refused(code: string, check: () => unknown): void {
  assert.throws(check, (error) => error instanceof TerminalError && error.code === code);
}

test('a commit is named by 40 lower-case hexadecimal digits and by nothing else', () => {
  const sha = '0123456789abcdef0123456789abcdef01234567';
  assert.equal(checkSha(sha), sha);
  const wrong = ['', 'HEAD', '--help', sha.slice(1), `${sha}0`, sha.toUpperCase(), `${sha}\n`];
  for (const value of [...wrong, '0'.repeat(40), `${sha.slice(1)}^`]) {
    refused('invalid-sha', () => checkSha(value));
  }
});

test('a repository is owner/name and never an option, a path or a URL', () => {
  for (const value of ['acme/shop', 'Acme-2/shop.js', 'a/_x', 'acme/.github', 'short_code/x-1.2']) {
    assert.equal(checkRepository(value), value);
  }
  const paths = [
    'acme/..',
    '../shop',
    'acme/../shop',
    'acme/a..b',
    '/acme/shop',
    'acme/shop/',
    './x',
    'acme/.',
  ];
  const options = ['-acme/shop', 'acme/-shop', '--upload-pack=x/y'];
  const others = [
    '',
    'acme',
    'a/b/c',
    'acme/.git',
    'acme/shop.git',
    'acme/sh op',
    'acme/x\n',
    'a/b?c',
  ];
  for (const value of [...paths, ...options, ...others, 'ext::sh/x', 'acme/käse', 'acme/$(id)']) {
    refused('invalid-repository', () => checkRepository(value));
  }
});

test('a ref is what git allows, and never an option', () => {
  for (const value of [
    'main',
    'release/1.x',
    'refs/heads/main',
    'v1.0',
    '$(id)',
    'straße',
    'a@b',
  ]) {
    assert.equal(checkRef(value), value);
  }
  const options = ['--upload-pack=touch${IFS}pwned', '-x', 'refs/heads/-x', 'refs/tags/--exec=x'];
  const unusual = ['', '; rm -rf x', 'a\nb', 'a\0b', 'a..b', 'a~1', 'a^', 'a:b', 'a?', 'a*', 'a[b'];
  const shapes = [
    '/a',
    'a/',
    'a//b',
    '.a',
    'a/.b',
    'a.lock',
    'a.lock/b',
    'a.',
    'a@{1}',
    '@',
    'a\\b',
  ];
  for (const value of [...options, ...unusual, ...shapes, '\ud800', 'x'.repeat(1025)]) {
    refused('invalid-ref', () => checkRef(value));
  }
});

test('a message about a refused value is one bounded line', () => {
  assert.throws(
    () => checkRef(`--x\n${'y'.repeat(10_000)}`),
    (error) =>
      error instanceof Error && error.message.length < 200 && !error.message.includes('\n'),
  );
});

test('a repository has one directory whatever the case it is written in', () => {
  assert.equal(repositoryDirectory('Acme/Shop.js'), 'acme+shop.js');
  assert.equal(repositoryDirectory('acme/shop.JS'), 'acme+shop.js');
});

test("a lane's directory is a plain name, another one for each lane, whatever the lane is called", () => {
  const lanes = [
    'a',
    'A',
    'a b',
    'a-b',
    '..',
    '.',
    '',
    '/etc',
    'x/../y',
    '\0',
    'ü',
    'x'.repeat(999),
  ];
  const names = lanes.map((lane) => laneDirectory(lane));
  assert.equal(new Set(names).size, lanes.length);
  for (const name of names) assert.match(name, /^[a-z0-9-]{0,40}\+[0-9a-f]{16}$/);
});
