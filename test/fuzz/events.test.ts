import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { describePayload } from '../../src/sources/github/describe-delivery.ts';
import { parseEvent } from '../../src/sources/github/events.ts';
import type { Event, Json } from '../../src/model/event.ts';
import { runs } from './runs.ts';

interface Example {
  name: string;
  payload: Json;
  /** Every place in it, those that the parser reads first. */
  places: Place[];
}
type Place = (string | number)[];

const READ = new Set(
  (
    'ref before after created deleted forced head_commit id commits added modified removed size distinct_size ' +
    'repository full_name action release tag_name draft prerelease workflow workflow_run name conclusion ' +
    'head_branch head_sha head_repository event pull_request number state base head sha title updated_at'
  ).split(' '),
);

const DEPLOYABLE = ['push', 'release', 'workflow_run', 'ping', 'deployment_review', 'pull_request'];
const examples = readExamples();
const deployable = examples.filter(({ name }) => DEPLOYABLE.includes(name));

const hostile = fc.constantFrom<Json>(
  null,
  true,
  -1,
  1e308,
  '',
  ' ',
  '\0',
  'a\0b',
  'a\nb',
  '\ud800',
  '--upload-pack=x',
  '-x/y',
  '../..',
  'a/..',
  'a/b.git',
  'a/b/c',
  'acme/shop',
  'refs/heads/',
  'refs/heads/-x',
  'refs/tags/v1',
  'refs/../x',
  'HEAD',
  '0'.repeat(40),
  '0'.repeat(64),
  'a'.repeat(40),
  'A'.repeat(40),
  `${'a'.repeat(40)}\n`,
  'x'.repeat(2000),
  [],
  {},
  [null],
  { full_name: 'a/b' },
  { id: '0'.repeat(40) },
);
const replacements = fc.oneof(
  { arbitrary: hostile, weight: 4 },
  { arbitrary: fc.jsonValue({ maxDepth: 2 }).map((value) => value as Json), weight: 1 },
);

interface Mutation {
  at: number;
  /** Undefined takes the value out. */
  value: Json | undefined;
}
const mutations: fc.Arbitrary<Mutation[]> = fc.array(
  fc.record({
    // Small numbers are places that are read.
    at: fc.oneof({ arbitrary: fc.nat(25), weight: 3 }, { arbitrary: fc.nat(1000), weight: 1 }),
    value: fc.oneof({ arbitrary: replacements, weight: 5 }, fc.constant(undefined)),
  }),
  { minLength: 1, maxLength: 4 },
);
const payloads = fc
  .tuple(
    fc.oneof(
      { arbitrary: fc.constantFrom(...deployable), weight: 3 },
      { arbitrary: fc.constant(wholePush()), weight: 1 },
      { arbitrary: fc.constantFrom(...examples), weight: 1 },
    ),
    mutations,
  )
  .map(([example, changes]) => ({ name: example.name, payload: mutated(example, changes) }));

test('no mutation of a real payload makes the parser throw or gives a name that cannot be one', () => {
  const kinds = new Set<string>();
  fc.assert(
    fc.property(payloads, ({ name, payload }) => {
      const before = JSON.stringify(payload);
      const event = parseEvent(name, payload);
      kinds.add(event.kind);
      if (event.kind === 'push' && event.changedPaths.complete) kinds.add('push with its files');
      checkEvent(event);
      assert.equal(JSON.stringify(payload), before, 'the payload was changed');
      const { action, repository } = describePayload(name, payload);
      if (action !== undefined) assert.match(action, /^[a-z_-]{1,50}$/);
      if (repository !== undefined) checkRepositoryName(repository);
    }),
    runs(6000),
  );
  // Mutations that break everything would prove nothing.
  for (const kind of [
    'other',
    'ping',
    'pull_request',
    'push',
    'push with its files',
    'release',
    'workflow_run',
  ]) {
    assert.ok(kinds.has(kind), kind);
  }
});

test('another name for the same payload gives an event or a reason too', () => {
  const names = fc.oneof(
    fc.constantFrom(...DEPLOYABLE, 'constructor', '__proto__', ''),
    fc.string(),
  );
  fc.assert(
    fc.property(names, payloads, (name, { payload }) => checkEvent(parseEvent(name, payload))),
    runs(1500),
  );
});

function checkEvent(event: Event): void {
  assert.ok(JSON.stringify(event).length > 0);
  if (event.repository !== undefined) checkRepositoryName(event.repository);
  switch (event.kind) {
    case 'push':
      checkName(event.ref);
      assert.ok(event.ref.startsWith('refs/'));
      if (event.branch !== undefined) assert.equal(event.ref, `refs/heads/${event.branch}`);
      if (event.tag !== undefined) assert.equal(event.ref, `refs/tags/${event.tag}`);
      assert.equal(event.sha === undefined, event.deleted);
      if (event.sha !== undefined) checkCommit(event.sha);
      if (event.before !== undefined) checkCommit(event.before);
      if (event.changedPaths.complete) {
        assert.ok(event.before !== undefined && !event.forced && !event.deleted);
        for (const path of event.changedPaths.paths) {
          assert.ok(path !== '' && !path.includes('\0'), JSON.stringify(path));
        }
      } else {
        checkReason(event.changedPaths.reason);
      }
      break;
    case 'release':
      for (const name of [event.action, event.tag]) checkName(name);
      break;
    case 'workflow_run':
      checkCommit(event.sha);
      for (const name of [event.action, event.workflow, event.trigger]) checkName(name);
      for (const name of [event.conclusion, event.branch]) if (name !== undefined) checkName(name);
      if (event.headRepository !== undefined) checkRepositoryName(event.headRepository);
      break;
    case 'pull_request':
      checkCommit(event.head);
      for (const name of [event.base, event.headBranch]) checkName(name);
      assert.ok(event.number > 0 && !/\p{Cc}/u.test(event.title) && event.title.isWellFormed());
      break;
    case 'other':
      checkReason(event.reason);
      break;
    case 'ping':
      break;
  }
}

/** What git and GitHub call a commit: never an option, a ref or "none". */
function checkCommit(sha: string): void {
  assert.ok(sha.length === 40 && /^[0-9a-f]+$/.test(sha), sha);
  assert.notEqual(sha.replaceAll('0', ''), '', 'all zeros are no commit');
}

/** It becomes part of a path and of a URL, and stands on a command line. */
function checkRepositoryName(repository: string): void {
  const [owner = '', name = '', ...rest] = repository.split('/');
  assert.deepEqual(rest, [], repository);
  assert.match(owner, /^[A-Za-z0-9][\w-]*$/);
  assert.match(name, /^[\w.-]+$/);
  assert.ok(name !== '.' && name !== '..' && !name.toLowerCase().endsWith('.git'), repository);
  assert.ok(repository.length <= 201);
}

function checkName(name: string): void {
  assert.ok(name.length > 0 && name.length <= 1000);
  assert.doesNotMatch(name, /\p{Cc}/u);
  assert.ok(name.isWellFormed());
}

/** People read it on one line. */
function checkReason(reason: string): void {
  assert.ok(reason.length > 0 && reason.length < 300, reason);
  assert.doesNotMatch(reason, /\p{Cc}/u);
}

function readExamples(): Example[] {
  const path = createRequire(import.meta.url).resolve('@octokit/webhooks-examples');
  const definitions = JSON.parse(readFileSync(path, 'utf8')) as {
    name: string;
    examples: Json[];
  }[];
  return definitions.flatMap(({ name, examples: all }) =>
    all.map((payload) => ({ name, payload, places: placesIn(payload) })),
  );
}

/** A push that lists all its files, which none of the collected ones does. */
function wholePush(): Example {
  const after = 'b'.repeat(40);
  const payload: Json = {
    ref: 'refs/heads/main',
    before: 'a'.repeat(40),
    after,
    repository: { full_name: 'acme/shop' },
    commits: [{ id: after, added: ['a.ts'], modified: [], removed: ['old/b.ts'] }],
  };
  return { name: 'push', payload, places: placesIn(payload) };
}

function placesIn(value: Json): Place[] {
  const places: Place[] = [[]];
  for (const place of places) {
    const here = at(value, place);
    if (typeof here !== 'object' || here === null) continue;
    const keys = Array.isArray(here) ? here.keys() : Object.keys(here);
    for (const key of keys) places.push([...place, key]);
  }
  const isRead = (place: Place) =>
    place.every((key) => typeof key === 'number' || READ.has(key)) ? 0 : 1;
  return places.slice(1).sort((a, b) => isRead(a) - isRead(b));
}

function at(value: Json, place: Place): Json | undefined {
  return place.reduce<Json | undefined>(
    (here, key) => (typeof here === 'object' && here !== null ? (here as never)[key] : undefined),
    value,
  );
}

function mutated({ payload, places }: Example, changes: readonly Mutation[]): Json {
  const copy = structuredClone(payload);
  for (const { at: index, value } of changes) {
    const place = places[index % places.length] ?? [];
    const parent = at(copy, place.slice(0, -1));
    const key = place.at(-1);
    // An earlier change may have taken it away.
    if (typeof parent !== 'object' || parent === null || key === undefined) continue;
    if (value === undefined) delete (parent as Record<string | number, Json>)[key];
    else (parent as Record<string | number, Json>)[key] = structuredClone(value);
  }
  return copy;
}
