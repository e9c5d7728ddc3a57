import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RUN_STATES } from '../../src/model/run.ts';
import { parseSpecs } from '../../src/spec/load.ts';
import { problemsIn, REST } from './problems-of.ts';

test('every default is filled in, and durations are milliseconds', () => {
  const text = `name: shop\nrepository: acme/shop${REST}\n`;
  const { specs, problems } = parseSpecs('a/shop.yaml', text);
  assert.deepEqual(problems, []);
  assert.equal(specs.length, 1);
  assert.equal(specs[0]?.file, 'a/shop.yaml');
  assert.equal(specs[0]?.text, text);
  assert.match(specs[0]?.digest ?? '', /^[0-9a-f]{64}$/);
  assert.deepEqual(specs[0]?.spec, {
    name: 'shop',
    repository: 'acme/shop',
    environment: 'production',
    productionEnvironment: true,
    transientEnvironment: false,
    on: {
      push: {
        branches: [],
        branchesIgnore: [],
        tags: [],
        tagsIgnore: [],
        paths: [],
        pathsIgnore: [],
      },
      release: undefined,
      workflowRun: undefined,
    },
    if: undefined,
    concurrency: { lane: 'shop-production', queue: 'newest', cancelRunning: false },
    onInterrupt: 'restart',
    timeoutMs: 900_000,
    env: {},
    secrets: [],
    steps: [
      {
        kind: 'shell',
        name: 'Step 1',
        run: 'true',
        env: {},
        timeoutMs: undefined,
        retry: { attempts: 1, backoffMs: 1000 },
      },
    ],
    gates: [],
    afterRollback: 'hold',
    comments: false,
    plan: false,
    feedback: ['status', 'deployment'],
    notify: [],
  });
});

test('the whole written form of the contract is understood', () => {
  const { specs, problems } = parseSpecs(
    'x.yaml',
    `name: storefront
repository: acme/storefront
environment: staging
production_environment: true
transient_environment: true
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
env: { NODE_ENV: production, PORT: 8080, DEBUG: false }
secrets: [DEPLOY_HOOK, DEPLOY_HOOK_KEY]
steps:
  - name: Build
    run: npm ci && npm run build
    timeout: 5m
    retry: { attempts: 3, backoff: 2s }
  - name: Smoke
    run: curl -fsS "$URL/healthz"
    env: { URL: "https://\${{ outputs.host }}" }
notify:
  - on: [succeeded]
    dispatch: { repository: acme/hub, event-type: component-updated, payload: { component: storefront, sha: "\${{ run.sha }}" } }
  - on: failed
    webhook: { url: "\${{ secrets.DEPLOY_HOOK }}", secret: DEPLOY_HOOK_KEY }
  - on: failed
    slack: { secret: DEPLOY_HOOK, text: "\${{ run.reason }}" }
  - slack: { token: DEPLOY_HOOK, channel: C0123456789, steps: true, buttons: slack-buttons }
  - discord: { secret: DEPLOY_HOOK }
  - teams: { secret: DEPLOY_HOOK }
`,
  );
  assert.deepEqual(problems, []);
  const spec = specs[0]?.spec;
  assert.equal(spec?.productionEnvironment, true);
  assert.equal(spec?.transientEnvironment, true);
  assert.deepEqual(spec?.concurrency, { lane: 'shop', queue: 'all', cancelRunning: true });
  assert.equal(spec?.timeoutMs, 5_400_000);
  assert.deepEqual(spec?.env, { NODE_ENV: 'production', PORT: '8080', DEBUG: 'false' });
  assert.deepEqual(spec?.steps[0]?.retry, { attempts: 3, backoffMs: 2000 });
  assert.deepEqual(spec?.notify, [
    {
      kind: 'dispatch',
      on: ['succeeded'],
      repository: 'acme/hub',
      eventType: 'component-updated',
      payload: { component: 'storefront', sha: '${{ run.sha }}' },
    },
    {
      kind: 'webhook',
      on: ['failed'],
      url: '${{ secrets.DEPLOY_HOOK }}',
      secret: 'DEPLOY_HOOK_KEY',
    },
    { kind: 'slack', on: ['failed'], secret: 'DEPLOY_HOOK', text: '${{ run.reason }}' },
    {
      kind: 'slack-app',
      on: [...RUN_STATES],
      token: 'DEPLOY_HOOK',
      channel: 'C0123456789',
      text: undefined,
      steps: true,
      buttons: 'slack-buttons',
    },
    { kind: 'discord', on: ['succeeded'], secret: 'DEPLOY_HOOK', text: undefined },
    { kind: 'teams', on: ['succeeded'], secret: 'DEPLOY_HOOK', text: undefined },
  ]);
});

for (const on of [
  'push',
  '[push, release]',
  '{ push: , release: }',
  '{ push: { branches: main } }',
]) {
  test(`GitHub's short form on: ${on} is understood`, () => {
    assert.deepEqual(problemsIn(`on: ${on}\nsteps: [{ run: 'true' }]`), []);
  });
}

test('a lane alone is short for concurrency', () => {
  const { specs } = parseSpecs('x.yaml', `name: a\nrepository: a/b\nconcurrency: one${REST}`);
  assert.equal(specs[0]?.spec.concurrency.lane, 'one');
});

test('several documents are several specs, each with its own text and line', () => {
  const text = `# first\nname: a\nrepository: a/b${REST}\n---\n# second\nname: b\nrepository: a/b${REST}\n---\n`;
  const { specs, problems } = parseSpecs('x.yaml', text);
  assert.deepEqual(problems, []);
  assert.deepEqual(
    specs.map(({ spec, line }) => [spec.name, line]),
    [
      ['a', 2],
      ['b', 8],
    ],
  );
  const again = parseSpecs('x.yaml', specs[1]?.text ?? '');
  assert.deepEqual(again.specs[0]?.spec, specs[1]?.spec);
  assert.equal(again.specs[0]?.digest, specs[1]?.digest);
});

test('a broken document does not hide the others', () => {
  const { specs, problems } = parseSpecs(
    'x.yaml',
    `nam: a\n---\nname: b\nrepository: a/b${REST}\n`,
  );
  assert.deepEqual(
    specs.map(({ spec }) => spec.name),
    ['b'],
  );
  assert.ok(problems.length > 0);
});

test('the text of a spec is its own, also behind a document that is broken', () => {
  const [broken, whole] = ['name: [a] ]\nmore: 1\n', `---\nname: b\nrepository: a/b${REST}\n`];
  const { specs } = parseSpecs('x.yaml', broken + whole);
  assert.equal(specs[0]?.text, whole);
});
