import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TerminalError } from '../../src/lib/errors.ts';
import { readConfig } from '../../src/config.ts';
import { parseEvent } from '../../src/sources/github/events.ts';
import {
  checkRef,
  checkRepository,
  checkSha,
  elsewhere,
  isRepository,
} from '../../src/lib/names.ts';
import type { Json } from '../../src/model/event.ts';
import { parseSpecs } from '../../src/spec/parse.ts';

function refused(code: string, check: () => unknown): void {
  assert.throws(check, (error) => error instanceof TerminalError && error.code === code);
}

const REPOSITORIES = [
  'acme/shop',
  'Acme-2/shop.js',
  'a/_x',
  'acme/.github',
  'short_code/x-1.2',
  'acme/a..b',
  'acme/-',
  'acme/x.lock',
];
const SHA = '0123456789abcdef0123456789abcdef01234567';

test('payloads, specs, the configuration and git agree on what a repository, a commit and a ref are called', () => {
  const push = {
    repository: { full_name: 'acme/shop' },
    ref: 'refs/heads/main',
    before: SHA,
    after: SHA,
  };
  const inPayload = (fields: Json) =>
    parseEvent('push', { ...push, ...(fields as object) }).kind === 'push';
  const inSpec = (repository: string) =>
    parseSpecs('x.yaml', specOf(repository)).problems.length === 0;
  const inConfig = (source: string) =>
    'config' in
    readConfig(
      { MAINSHEET_DEPLOYMENTS: source, GITHUB_WEBHOOK_SECRET: SHA },
      { isTerminal: false },
    );
  const inGit = (check: () => unknown) => {
    try {
      return check() !== undefined;
    } catch {
      return false;
    }
  };

  const odd = ['acme/..', 'acme/shop.GIT', '_acme/shop', '-acme/shop', 'acme/sh op', 'acme/ü'];
  for (const name of [...REPOSITORIES, ...odd, `acme/${'x'.repeat(101)}`]) {
    const answers = [
      inPayload({ repository: { full_name: name } }),
      inSpec(name),
      inConfig(`github:${name}`),
      inGit(() => checkRepository(name)),
    ];
    assert.deepEqual([name, ...new Set(answers)], [name, REPOSITORIES.includes(name)]);
  }
  for (const sha of [SHA, SHA + SHA.slice(0, 24), SHA.toUpperCase(), 'main']) {
    const answers = [inPayload({ after: sha }), inGit(() => checkSha(sha))];
    assert.deepEqual([sha, ...new Set(answers)], [sha, sha === SHA]);
  }
  for (const ref of ['main', 'a b', 'a..b', 'x.lock', 'a/.b', 'x@{1}', 'ü/ä', 'x.']) {
    const answers = [
      inPayload({ ref: `refs/heads/${ref}` }),
      inConfig(`github:acme/shop@${ref}`),
      inGit(() => checkRef(ref)),
      parseEvent('release', { ...push, action: 'published', release: { tag_name: ref } }).kind ===
        'release',
    ];
    assert.deepEqual([ref, ...new Set(answers)], [ref, ['main', 'ü/ä'].includes(ref)]);
  }
  // A whole ref cannot be taken for an option, and GitHub has such branches.
  assert.equal(inPayload({ ref: 'refs/heads/-x' }), true);
  assert.equal(
    inGit(() => checkRef('-x')),
    false,
  );
});

function specOf(repository: string): string {
  return `name: shop\nrepository: ${repository}\non: { push: { branches: [main] } }\nsteps: [{ run: make }]\n`;
}

test('a commit is named by 40 lower-case hexadecimal digits and by nothing else', () => {
  const sha = SHA;
  assert.equal(checkSha(sha), sha);
  const wrong = ['', 'HEAD', '--help', sha.slice(1), `${sha}0`, sha.toUpperCase(), `${sha}\n`];
  for (const value of [...wrong, '0'.repeat(40), `${sha.slice(1)}^`]) {
    refused('invalid-sha', () => checkSha(value));
  }
});

test('a repository is owner/name and never an option, a path or a URL', () => {
  for (const value of REPOSITORIES) assert.equal(checkRepository(value), value);
  const paths = ['acme/..', '../shop', 'acme/../shop', '/acme/shop', 'acme/shop/', './x', 'acme/.'];
  const options = ['-acme/shop', '_acme/shop', '--upload-pack=x/y'];
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
  const options = ['--upload-pack=touch${IFS}pwned', '-x'];
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

test('a repository of another server is named by the server and its path, and is none of GitHub', () => {
  const deep = `a${'/b'.repeat(20)}`;
  for (const name of ['work:acme/shop', 'gl-2:a/b/c', 'x:_a/.b', `x:${deep}`]) {
    const [server, path] = name.split(':');
    assert.deepEqual(elsewhere(name), { server, path });
    assert.equal(checkRepository(name), name);
    assert.equal(isRepository(name), false);
    assert.deepEqual(parseSpecs('x.yaml', specOf(name)).problems, [], name);
  }
  const odd = [
    'Work:acme/shop',
    ':acme/shop',
    'work:acme',
    'work:/acme/shop',
    'work:acme/shop/',
    'work:acme//shop',
    'work:acme/../shop',
    'work:./acme/shop',
    'work:-acme/shop',
    'work:acme/shop.git',
    'work:acme/sh op',
    'work:acme/a+b',
    'work:other:acme/shop',
    `work:${deep}/c`,
    `work:acme/${'x'.repeat(200)}`,
    'https://evil.example/acme/shop',
  ];
  assert.equal(elsewhere('work:acme/shop\n'), undefined);
  for (const name of odd) {
    assert.equal(elsewhere(name), undefined, name);
    refused('invalid-repository', () => checkRepository(name));
    assert.equal(parseSpecs('x.yaml', specOf(name)).problems.length, 1, name);
  }
});
