import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bodyDigest } from '../../../src/sources/github/body-digest.ts';
import type { Json } from '../../../src/model/event.ts';

const digest = (event: string, text: string) => bodyDigest(event, JSON.parse(text) as Json, text);

test('a body is known by its event and what it says, not by how it is written', () => {
  const known = digest('push', '{"a":"\\u00fc","b":[1,2]}');
  assert.equal(digest('push', '{ "a": "ü",\n "b": [1, 2.0] }'), known);
  assert.notEqual(digest('push', '{"a":"ü","b":[2,1]}'), known);
  assert.notEqual(digest('release', '{"a":"ü","b":[1,2]}'), known);
});

test('a body that is nested deeper than the stack is known too', () => {
  const deep = (inside: string) => `{"a":${'['.repeat(100_000)}${inside}${']'.repeat(100_000)}}`;
  assert.equal(digest('push', deep('1')), digest('push', deep('1')));
  assert.notEqual(digest('push', deep('1')), digest('push', deep('2')));
});
