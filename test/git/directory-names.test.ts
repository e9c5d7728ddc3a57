import assert from 'node:assert/strict';
import { test } from 'node:test';
import { laneDirectory, repositoryDirectory } from '../../src/git/directory-names.ts';

test('a repository has one directory whatever the case it is written in', () => {
  assert.equal(repositoryDirectory('Acme/Shop.js'), 'acme+shop.js');
  assert.equal(repositoryDirectory('acme/shop.JS'), 'acme+shop.js');
});

test('a repository of another server has a directory of its own', () => {
  assert.equal(repositoryDirectory('work:Acme/Web/shop'), 'work++acme+web+shop');
  const names = ['a/b', 'a:b/c', 'b:a/b', 'a:a/b'].map((name) => repositoryDirectory(name));
  assert.equal(new Set(names).size, names.length);
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
