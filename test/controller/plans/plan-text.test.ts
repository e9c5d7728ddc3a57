import assert from 'node:assert/strict';
import { test } from 'node:test';
import { failedText, planText } from '../../../src/controller/plans/plan-text.ts';
import type { Plan } from '../../../src/controller/plans/make-plan.ts';
import type { PulledEvent } from '../../../src/store/plans.ts';
import type { AnyNotify } from '../../../src/spec/notify/index.ts';
import { sampleLoaded } from '../../runs/samples.ts';

const HOSTILE = '`` @eve **b** <img src=x> [x](http://evil)\n# heading | #1 www.evil.com';
const pull: PulledEvent = {
  kind: 'pull_request',
  repository: 'acme/shop',
  number: 12,
  isReady: true,
  isClosed: false,
  base: HOSTILE,
  head: 'a'.repeat(40),
  headBranch: HOSTILE,
  headRepository: 'acme/shop',
  title: HOSTILE,
  defaultBranch: 'main',
  changedAt: 0,
};
const plan = (more: Partial<Plan>): Plan => ({
  pull,
  base: 'b'.repeat(40),
  verdicts: [],
  change: undefined,
  backtest: undefined,
  ...more,
});
const said = (more: Partial<Plan>) => planText(plan(more), { publicUrl: 'https://m.example' });

const loaded = sampleLoaded({
  name: 'shop',
  environment: HOSTILE,
  gates: [{ kind: 'approve', from: ['alice'], count: 1, notAuthor: true, timeoutMs: undefined }],
  env: { KEY: 'value-of-env' },
  secrets: ['TOKEN'],
  steps: [
    {
      kind: 'shell',
      name: HOSTILE,
      env: {},
      timeoutMs: undefined,
      retry: { attempts: 1, backoffMs: 0 },
    },
  ],
  notify: [
    { kind: 'webhook', on: ['failed'], url: 'https://hook.example/key', secret: 'TOKEN' },
    { kind: 'dispatch', on: ['succeeded'], repository: 'acme/hub', eventType: 'e', payload: {} },
  ] as AnyNotify[],
});
const verdict = {
  matched: true,
  reasons: [{ condition: 'on.push.paths', held: true, detail: HOSTILE }],
};

test('a plan says what is deployed, why, and what that does', () => {
  const { text, title, conclusion } = said({ verdicts: [{ loaded, verdict }] });
  assert.deepEqual([title, conclusion], ['Merging deploys shop', 'success']);
  assert.match(text, /^- ✓ `on.push.paths`: /m);
  assert.match(text, /^- Waits for: `1 approval by alice, not the author`$/m);
  assert.match(
    text,
    /^- Tells: commit status, Deployment, webhook \(failed\), repository_dispatch to `acme\/hub` \(succeeded\)$/m,
  );
});

test('what others wrote is neither Markdown nor a mention, and no script, URL or value is said', () => {
  const { text } = said({
    verdicts: [{ loaded, verdict }],
    change: {
      changed: [{ name: 'shop', how: 'changed', now: loaded }],
      hooks: [],
      problems: [],
      warnings: [],
    },
  });
  const outside = text.replaceAll(/`[^`\n]*`/g, '').replaceAll(/<\/?(?:details|summary)>/g, '');
  assert.doesNotMatch(outside, /[@<>[\]*|]|evil|heading/);
  assert.doesNotMatch(text, /@(?!\u200b)|script|value-of-env|hook\.example|TOKEN/);
});

test('problems of specs fail the check run, at most fifty at their places', () => {
  const problems = Array.from({ length: 60 }, (_, index) => ({
    file: 'specs/a.yaml',
    line: index + 1,
    column: 3,
    message: HOSTILE,
    hint: 'do it',
  }));
  const { text, title, conclusion, annotations } = said({
    change: { changed: [], hooks: [], problems, warnings: [] },
  });
  assert.deepEqual([title, conclusion], ['60 problems in deployment specs', 'failure']);
  assert.equal(annotations.length, 50);
  assert.deepEqual(
    [annotations[1]?.start_line, annotations[1]?.start_column, annotations[1]?.message],
    [2, 3, `${HOSTILE} — do it`],
  );
  assert.match(text, /… and 40 more/);
});

test('a plan stays within what GitHub takes, however much there is to say', () => {
  const verdicts = Array.from({ length: 500 }, () => ({ loaded, verdict }));
  const { text, title } = said({ verdicts });
  assert.ok(text.length < 65_000, `${text.length}`);
  assert.match(text, /… and \d+ sections more$/);
  assert.ok(title.length > 0);
});

test('of other repositories a backtest names neither branches nor commits (G12)', () => {
  const difference = {
    delivery: 'd1',
    event: 'push',
    receivedAt: 0,
    ref: 'refs/heads/secret',
    sha: 'c'.repeat(40),
    spec: 'shop',
    did: true,
    would: false,
    run: 'r1',
    reasons: [{ condition: 'on.push.branches', held: false, detail: 'secret does not match' }],
    certain: true,
  };
  const text = (repository: string) =>
    said({
      backtest: {
        deliveries: 5,
        deployed: 1,
        wouldDeploy: 0,
        total: 1,
        differences: [{ ...difference, repository }],
      },
    }).text;
  assert.match(text('Acme/Shop'), /of `refs\/heads\/secret` at `ccccccc`.*secret does not match/);
  assert.doesNotMatch(text('acme/other'), /secret|ccccccc/);
  for (const link of ['deliveries/d1', 'runs/r1']) {
    assert.ok(text('acme/other').includes(`(https://m.example/${link})`));
  }
});

test('of a fork it is said that its specs are not judged by what came', () => {
  assert.match(said({ backtest: 'fork' }).text, /Not judged for a pull request from a fork/);
});

test('what could not be found out is said without why', () => {
  const { conclusion, text } = failedText('too-many-changes');
  assert.equal(conclusion, 'neutral');
  assert.match(text, /\(`too-many-changes`\)/);
});
