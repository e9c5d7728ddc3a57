import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { parseSpecs } from '../../src/spec/load.ts';
import { FILE_LIMIT } from '../../src/spec/parse.ts';
import { formatProblem } from '../../src/spec/problem.ts';
import { problemsIn, problemsOf, REST } from './problems-of.ts';

test('what a small file can grow to is bounded', () => {
  const levels = 'abcdefgh'.split('').map((name, index, all) => {
    const inner = index === 0 ? 'x' : `*${all[index - 1]}`;
    return `${name}: &${name} [${Array.from({ length: 9 }, () => inner).join(', ')}]`;
  });
  assert.match(problemsOf(levels.join('\n'))[0] ?? '', /aliases in this document repeat too much/);
  assert.match(problemsOf('a: &x [*x]')[0] ?? '', /stands within what it repeats/);
  assert.match(problemsOf(`a: ${'x'.repeat(FILE_LIMIT)}`)[0] ?? '', /larger than 256 KiB/);
  assert.equal(problemsOf('['.repeat(60_000)).length, 1);
  assert.ok(problemsOf(`steps:\n${'- { a: 1 }\n'.repeat(2000)}`).length <= 100);
});

test('a file holds so many pieces of YAML, of which a text is one', () => {
  const { stackTraceLimit } = Error;
  const list = (length: number) => problemsOf(`a: [${'1,'.repeat(length)}]`);
  const tooMany = [
    'x.yaml:1:1: the file has more than 65536 names, values and signs of YAML — split it',
  ];
  assert.notDeepEqual(list(20_000), tooMany);
  assert.deepEqual(list(40_000), tooMany);
  for (const text of ['- a\n', '#\n', '---\n', '[', 'a: ]\n'])
    assert.deepEqual(problemsOf(text.repeat(70_000).slice(0, FILE_LIMIT)), tooMany, text);
  const script = `steps:\n  - run: |\n${'      - a: [1]\n'.repeat(4000)}`;
  assert.deepEqual(problemsOf(`name: a\nrepository: a/b\non: push\n${script}`), []);
  assert.equal(Error.stackTraceLimit, stackTraceLimit);
});

test('five thousand lines of specs are one file', () => {
  const documents = Array.from(
    { length: 250 },
    (_, index) => `name: shop-${index}
repository: acme/shop-${index}
environment: production
on:
  push:
    branches: [main]
    paths:
      - src/**
      - '!**/*.md'
secrets: [REGISTRY_TOKEN]
steps:
  - name: Build
    run: npm ci && npm run build
    retry: { attempts: 3, backoff: 2s }
  - name: Deploy
    run: ./deploy.sh
    timeout: 5m
    env:
      TARGET: eu-central-1
`,
  );
  const text = documents.join('---\n');
  assert.ok(text.split('\n').length >= 5000);
  assert.deepEqual(problemsOf(text), []);
});

test('secrets of which many are listed, and many others used, take no more time than either', () => {
  const lines = (line: (index: number) => string) =>
    Array.from({ length: 2500 }, (_, index) => line(index)).join('');
  const secrets = `secrets: [${lines((index) => `A_LONG_NAME_OF_A_SECRET_${index}, `)}]`;
  const uses = lines((index) => `  A${index}: "\${{ secrets.${'Z'.repeat(30)} }}"\n`);
  const before = process.cpuUsage();
  assert.equal(problemsOf(`${secrets}\nenv:\n${uses}`).length, 100);
  const { user, system } = process.cpuUsage(before);
  // To compare each with each takes ten seconds and more.
  assert.ok(user + system < 4_000_000);
});

test('sets of a filter pattern that do not end are read once', () => {
  const before = process.cpuUsage();
  const on = `on: { push: { branches: '${'['.repeat(200_000)},' } }`;
  assert.equal(problemsOf(`name: a\nrepository: a/b\n${on}\nsteps: [{ run: 'true' }]\n`).length, 1);
  const { user, system } = process.cpuUsage(before);
  // To look for the end of each takes half a minute.
  assert.ok(user + system < 4_000_000);
});

test('a problem is told in bounded words, however long what it repeats', () => {
  for (const text of [`a: |${'x'.repeat(100_000)}`, `${'x'.repeat(100_000)}: 1`]) {
    for (const problem of problemsOf(text)) assert.ok(problem.length < 2100);
  }
});

test('what is nested too deeply is told, also where the parser itself gives up', () => {
  const nested = (levels: number) =>
    problemsIn(
      `notify: [{ dispatch: { repository: acme/hub, event-type: x, payload: ${'{ a: '.repeat(levels)}1${' }'.repeat(levels)} } }]${REST}`,
    );
  assert.deepEqual(nested(46), []);
  for (const levels of [47, 500]) {
    assert.deepEqual(nested(levels), [
      'x.yaml:1:1: lists and maps are nested more than 50 levels deep',
    ]);
  }
  assert.match(nested(4000).join(), /^x\.yaml:4:\d+: nested too deeply$/);
  assert.match(problemsOf('- '.repeat(16_000)).join(), /^x\.yaml:1:\d+: nested too deeply$/);
});

test('any text at all gives specs or problems, never an exception', () => {
  const line = fc.constantFrom(
    'name: a',
    'repository: a/b',
    'on: push',
    'on: {push: {branches: *x}}',
    'steps: [{run: x}]',
    '---',
    'steps:',
    '  - run: |',
    '      ${{ x',
    'env: {A: "${{"}',
    '? a',
    '&x a: *x',
    '!t',
    '"',
    '\t',
    'notify: [{}]',
    '__proto__: {a: 1}',
    'constructor: 1',
    'if: true',
    '}',
    '<<: *x',
    '\u0000',
    '%YAML 1.1',
    '...',
  );
  fc.assert(
    fc.property(fc.array(line, { maxLength: 12 }), (lines) => {
      const text = lines.join('\n');
      for (const problem of parseSpecs('x', text).problems) {
        assert.ok(problem.line >= 1 && problem.column >= 1);
        assert.ok(
          problem.line <= text.split('\n').length,
          `${problem.line} in ${JSON.stringify(text)}`,
        );
      }
    }),
    { numRuns: 500 },
  );
});

test('names that would be dropped, or mean something else in a link, are refused', () => {
  for (const lines of [
    'env: { __proto__: x }',
    'notify: [{ dispatch: { repository: a/b, event-type: x, payload: { a: { __proto__: 1 } } } }]',
  ]) {
    assert.match(problemsIn(lines + REST)[0] ?? '', /^x.yaml:4:\d+: the name "__proto__" cannot/);
  }
  assert.match(problemsIn(`concurrency: '..'${REST}`)[0] ?? '', /is no name in a link/);
  assert.match(problemsIn(`environment: .${REST}`)[0] ?? '', /is no name in a link/);
});

test('what a schema of inputs would not check is refused', () => {
  const hook = 'kind: hook\nid: a\nsender: bearer\nsecrets: T\n';
  const said = (schema: string) =>
    parseSpecs('x.yaml', `${hook}schema: ${schema}`).problems.map(formatProblem).join('\n');
  const format = '{ properties: { mail: { format: email } } }';
  assert.match(said(format), /^x.yaml:5:9: .*format, which is not checked — say it by a pattern$/);
  assert.match(said('{ properties: { mail: { tipe: string } } }'), /is no JSON Schema: .*"tipe"/);
  assert.equal(said('{ properties: { format: { type: string } } }'), '');
});
