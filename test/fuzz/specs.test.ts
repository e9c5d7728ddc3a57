import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { parseSpecs } from '../../src/spec/load.ts';
import { runs } from './runs.ts';

const WHOLE = `name: storefront
repository: acme/storefront
environment: staging
on:
  push:
    branches: [main, "release/**", "!release/old/**"]
    tags: ["v*"]
    paths: ["src/**", "!**/*.md"]
  release: { types: [published] }
  workflow_run: { workflows: [CI], branches: [main], types: [completed], conclusions: [success] }
if: "!event.head_commit.message.contains('[skip deploy]')"
concurrency: { lane: shop, queue: all, cancel-running: true }
timeout: 1h30m
env: &env { NODE_ENV: production, PORT: 8080, DEBUG: false }
secrets: [DEPLOY_HOOK, DEPLOY_HOOK_KEY]
steps:
  - name: Build
    run: |
      npm ci
      npm run build
    timeout: 5m
    retry: { attempts: 3, backoff: 2s }
  - name: Smoke
    run: curl -fsS "$URL/healthz"
    env: { URL: "https://\${{ outputs.host }}" }
notify:
  - on: [succeeded]
    dispatch: { repository: acme/hub, event-type: updated, payload: { sha: "\${{ run.sha }}", more: [1, { a: null }] } }
  - on: failed
    webhook: { url: "\${{ secrets.DEPLOY_HOOK }}", secret: DEPLOY_HOOK_KEY }
`;
const SMALL = "name: shop\nrepository: acme/shop\non: push\nsteps: [{ run: 'true' }]\n";
const DEMO = readFileSync(new URL('../../demo/specs/storefront.yaml', import.meta.url), 'utf8');
const VALID = [WHOLE, SMALL, DEMO, `${SMALL}---\n${WHOLE}---\n`];

/** What an editor's slip or a bad intention may put anywhere. */
const FRAGMENTS =
  '¦ ¦\n¦\t¦:¦: ¦- ¦? ¦{¦}¦[¦]¦,¦#¦&a ¦*a¦*env¦!x ¦|¦>¦"¦\'¦%¦@¦`¦\0¦\r¦\u2028¦\uFEFF¦\ud800¦---\n¦...\n¦<<: *env\n¦' +
  '${{¦}}¦${{ run.sha }}¦${{ secrets.X }}¦null¦~¦1e999¦0x1F¦.nan¦-0¦!!binary x¦1h¦99999h¦[a-¦**¦' +
  '__proto__: { a: 1 }\n¦constructor: 1\n¦toString: x\n¦MAINSHEET_X: 1\n¦name: shop\n¦%YAML 1.1\n';
const fragments = fc.oneof(
  { arbitrary: fc.constantFrom(...FRAGMENTS.split('¦')), weight: 8 },
  {
    arbitrary: fc.constantFrom(
      '9'.repeat(400),
      'x'.repeat(5000),
      '{a: '.repeat(60),
      '- '.repeat(60),
    ),
    weight: 1,
  },
  { arbitrary: fc.string({ unit: 'binary', maxLength: 10 }), weight: 4 },
);

interface Edit {
  at: number;
  /** How many characters it replaces. */
  length: number;
  text: string;
}
const edits: fc.Arbitrary<Edit[]> = fc.array(
  fc.record({
    at: fc.nat(2000),
    length: fc.oneof(fc.constant(0), fc.nat(3), fc.nat(60)),
    text: fragments,
  }),
  { minLength: 1, maxLength: 4 },
);

const texts = fc.oneof(
  { arbitrary: fc.tuple(fc.constantFrom(...VALID), edits).map(edited), weight: 6 },
  { arbitrary: fc.array(fragments, { maxLength: 20 }).map((list) => list.join('')), weight: 2 },
  {
    arbitrary: fc
      .tuple(fc.constantFrom(...VALID), fc.nat(2000))
      .map(([text, end]) => text.slice(0, end)),
    weight: 1,
  },
  { arbitrary: fc.string({ unit: 'binary', maxLength: 200 }), weight: 1 },
);

test('any text gives specs or problems, each at a place that is in the text, and never an exception', () => {
  let valid = 0;
  let refused = 0;
  fc.assert(
    fc.property(texts, (text) => {
      const { specs, problems } = parseSpecs('dir/x.yaml', text);
      const lines = text.split(/\r\n|\r|\n/);
      for (const { file, line, column, message, hint } of problems) {
        assert.equal(file, 'dir/x.yaml');
        assert.ok(line >= 1 && line <= lines.length, `line ${line} of ${lines.length}`);
        assert.ok(column >= 1 && column <= text.length + 1, `column ${column}`);
        assert.ok(message.trim() !== '' && hint !== '');
        assert.ok(message.length <= 1000 && (hint?.length ?? 0) <= 1000, message);
        assert.doesNotMatch(message, /call stack|is not a function|cannot read prop/i);
      }
      valid += specs.length;
      refused += problems.length > 0 ? 1 : 0;
      for (const loaded of specs) {
        // The snapshot that a run keeps gives the same spec again, whatever stood around it in the file.
        const again = parseSpecs('', loaded.text);
        assert.deepEqual(again.problems, []);
        assert.deepEqual(
          again.specs.map(({ spec }) => spec),
          [loaded.spec],
        );
        assert.equal(again.specs[0]?.digest, loaded.digest);
        assert.match(loaded.spec.name, /^[a-z0-9-]{1,63}$/);
        assert.match(loaded.spec.repository, /^[\w][\w-]*\/[\w.][\w.-]*$/);
        assert.ok(loaded.spec.steps.length > 0);
      }
    }),
    runs(800),
  );
  assert.ok(valid > 100 && refused > 100, `${valid} specs, ${refused} texts with problems`);
});

test('what comes out is bounded by what goes in, whatever anchors and aliases multiply', () => {
  const levels = fc.record({
    depth: fc.integer({ min: 1, max: 12 }),
    width: fc.integer({ min: 1, max: 12 }),
    kind: fc.constantFrom<'list' | 'map' | 'merge'>('list', 'map', 'merge'),
  });
  fc.assert(
    fc.property(levels, (shape) => {
      const text = `${SMALL.replace('name: shop', 'name: bomb')}notify:\n  - dispatch:\n      repository: a/b\n      event-type: x\n      payload:\n${bomb(shape)}`;
      const { specs, problems } = parseSpecs('x.yaml', text);
      assert.ok(specs.length + problems.length > 0);
      // A dispatch has less than 64 KB, so a spec that passed is not much larger.
      assert.ok(JSON.stringify(specs).length < 10 * text.length + 70_000);
      assert.ok(JSON.stringify(problems).length < 50_000);
    }),
    runs(100),
  );
});

test('the number of problems is bounded, however many there are', () => {
  const lines = fc.constantFrom(
    '- { a: 1 }\n',
    '  x: !t y\n',
    'a: 1\n',
    '? [x]\n',
    '- *a\n',
    'env: { LD_PRELOAD: x }\n',
  );
  fc.assert(
    fc.property(lines, fc.integer({ min: 1, max: 1500 }), (line, times) => {
      const { problems } = parseSpecs('x.yaml', line.repeat(times));
      assert.ok(problems.length > 0 && problems.length <= 100);
    }),
    runs(20),
  );
});

function edited([text, list]: [string, Edit[]]): string {
  return list.reduce((before, { at, length, text: inserted }) => {
    const start = at % (before.length + 1);
    return before.slice(0, start) + inserted + before.slice(start + length);
  }, text);
}

/** Levels that each repeat the one before: small when written, huge when written out. */
function bomb(shape: { depth: number; width: number; kind: 'list' | 'map' | 'merge' }): string {
  const { depth, width, kind } = shape;
  const lines: string[] = [];
  for (let level = 0; level < depth; level += 1) {
    const inner = level === 0 ? 'x' : `*l${level - 1}`;
    const items = Array.from({ length: width }, (_, index) =>
      kind === 'list'
        ? inner
        : kind === 'map'
          ? `k${index}: ${inner}`
          : `"<<": ${inner}, k${index}: 1`,
    ).join(', ');
    lines.push(`        a${level}: &l${level} ${kind === 'list' ? `[${items}]` : `{${items}}`}\n`);
  }
  return lines.join('');
}
