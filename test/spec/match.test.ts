import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DeploymentSpec } from '../../src/model/deployment-spec.ts';
import type {
  Event,
  Json,
  PushEvent,
  ReleaseEvent,
  WorkflowRunEvent,
} from '../../src/model/event.ts';
import type { Verdict } from '../../src/model/verdict.ts';
import { parseSpecs } from '../../src/spec/load.ts';
import { matchSpec, needsChangedPaths } from '../../src/spec/match.ts';

/** A spec of acme/shop with these lines of YAML. */
function spec(yaml: string): DeploymentSpec {
  const text = `name: shop\nrepository: acme/shop\nsteps: [{ run: 'true' }]\n${yaml}\n`;
  const { specs, problems } = parseSpecs('shop.yaml', text);
  assert.deepEqual(problems, []);
  assert.ok(specs[0]);
  return specs[0].spec;
}

function push(change: Partial<PushEvent> = {}): PushEvent {
  return {
    kind: 'push',
    repository: 'acme/shop',
    ref: 'refs/heads/main',
    branch: 'main',
    tag: undefined,
    before: 'a'.repeat(40),
    sha: 'b'.repeat(40),
    created: false,
    deleted: false,
    forced: false,
    changedPaths: { complete: true, paths: ['src/app.js'] },
    ...change,
  };
}

const tagged = { ref: 'refs/tags/v1', branch: undefined, tag: 'v1' };

function release(change: Partial<ReleaseEvent> = {}): ReleaseEvent {
  return {
    kind: 'release',
    repository: 'acme/shop',
    action: 'published',
    tag: 'v1',
    draft: false,
    prerelease: false,
    sha: undefined,
    ...change,
  };
}

function workflowRun(change: Partial<WorkflowRunEvent> = {}): WorkflowRunEvent {
  return {
    kind: 'workflow_run',
    repository: 'acme/shop',
    action: 'completed',
    workflow: 'CI',
    conclusion: 'success',
    branch: 'main',
    sha: 'b'.repeat(40),
    trigger: 'push',
    headRepository: 'acme/shop',
    ...change,
  };
}

function unmet(verdict: Verdict): string[] {
  return verdict.reasons.filter((reason) => !reason.held).map((reason) => reason.condition);
}

function check(
  yaml: string,
  event: Event,
  expected: string[] | 'matches',
  payload: unknown = {},
): void {
  const verdict = matchSpec(spec(yaml), event, payload);
  assert.deepEqual(unmet(verdict), expected === 'matches' ? [] : expected, JSON.stringify(verdict));
  assert.equal(verdict.matched, expected === 'matches');
}

test('a push to any branch or tag matches a trigger without filters', () => {
  check('on: push', push(), 'matches');
  check('on: push', push(tagged), 'matches');
  check('on: push', push({ changedPaths: { complete: true, paths: [] } }), 'matches');
});

test('another repository never matches; the case of its name does not matter', () => {
  check('on: push', push({ repository: 'acme/other' }), ['repository']);
  check('on: push', push({ repository: 'ACME/Shop' }), 'matches');
  check('on: push', { kind: 'ping', repository: undefined }, ['repository']);
});

test('an event without a trigger does not match, and the reason is told', () => {
  check('on: release', push(), ['on']);
  check('on: push', { kind: 'ping', repository: 'acme/shop' }, ['on']);
  const other: Event = {
    kind: 'other',
    name: 'issues',
    action: 'opened',
    repository: 'acme/shop',
    reason: 'issues never deploy',
  };
  assert.equal(matchSpec(spec('on: push'), other, {}).reasons[1]?.detail, 'issues never deploy');
});

test('a deletion never matches, nor does a ref that points at no commit', () => {
  check('on: push', push({ deleted: true, sha: undefined }), ['on.push']);
  check('on: push', push({ sha: undefined }), ['on.push']);
  check('on: push', push({ ref: 'refs/notes/x', branch: undefined }), ['on.push']);
});

test('branches and branches-ignore', () => {
  const yaml = `on: { push: { branches: [main, 'release/**', '!release/old/**'] } }`;
  check(yaml, push(), 'matches');
  check(yaml, push({ branch: 'release/1' }), 'matches');
  check(yaml, push({ branch: 'release/old/1' }), ['on.push.branches']);
  check(yaml, push({ branch: 'next' }), ['on.push.branches']);
  const ignoring = `on: { push: { branches-ignore: ['dependabot/**'] } }`;
  check(ignoring, push(), 'matches');
  check(ignoring, push({ branch: 'dependabot/npm' }), ['on.push.branches-ignore']);
});

test('a trigger that names only tags does not fire for branches, nor the other way round', () => {
  check(`on: { push: { tags: ['v*'] } }`, push(), ['on.push.branches']);
  check(`on: { push: { tags-ignore: ['x'] } }`, push(), ['on.push.branches']);
  check(`on: { push: { tags: ['v*'] } }`, push(tagged), 'matches');
  check(`on: { push: { branches: main } }`, push(tagged), ['on.push.tags']);
  check(`on: { push: { branches-ignore: x } }`, push(tagged), ['on.push.tags']);
  check(`on: { push: { branches: main, tags: 'v*' } }`, push(tagged), 'matches');
  check(`on: { push: { branches: main, tags: 'v*' } }`, push(), 'matches');
  check(`on: { push: { tags-ignore: 'v*' , branches: main } }`, push(tagged), [
    'on.push.tags-ignore',
  ]);
});

const changed = (...paths: string[]) => push({ changedPaths: { complete: true, paths } });

test('paths need one changed file that matches; order matters', () => {
  const yaml = `on: { push: { paths: ['src/**', '!**/*.md'] } }`;
  check(yaml, changed('README.md', 'src/a.js'), 'matches');
  check(yaml, changed('src/README.md'), ['on.push.paths']);
  check(yaml, changed('docs/a'), ['on.push.paths']);
  check(yaml, changed(), ['on.push.paths']);
});

test('paths-ignore stops a push only when every changed file is ignored', () => {
  const yaml = `on: { push: { paths-ignore: ['**.md'] } }`;
  check(yaml, changed('README.md', 'src/a.js'), 'matches');
  check(yaml, changed('README.md', 'docs/b.md'), ['on.push.paths-ignore']);
  check(yaml, changed(), ['on.push.paths-ignore']);
});

test('paths are not looked at for tags', () => {
  check(
    `on: { push: { paths: 'src/**' } }`,
    push({ ...tagged, changedPaths: { complete: true, paths: [] } }),
    'matches',
  );
});

test('changed files that could not be had count as matching, and the reason says so', () => {
  const unknown = push({ changedPaths: { complete: false, reason: 'the list was cut' } });
  const verdict = matchSpec(spec(`on: { push: { paths: 'src/**' } }`), unknown, {});
  assert.equal(verdict.matched, true);
  assert.match(
    verdict.reasons.find((r) => r.condition === 'on.push.paths')?.detail ?? '',
    /the list was cut/,
  );
});

test('git is asked for the changed files only where a spec needs them and the ref fits', () => {
  const unknown = { changedPaths: { complete: false, reason: 'cut' } } as const;
  const paths = spec(`on: { push: { branches: main, paths: 'src/**' } }`);
  const ignoring = spec(`on: { push: { paths-ignore: 'docs/**' } }`);
  const plain = spec('on: push');
  assert.equal(needsChangedPaths([plain, paths], push(unknown)), true);
  assert.equal(needsChangedPaths([ignoring], push(unknown)), true);
  assert.equal(needsChangedPaths([plain], push(unknown)), false);
  assert.equal(needsChangedPaths([paths], push()), false);
  assert.equal(needsChangedPaths([paths], push({ ...unknown, branch: 'next' })), false);
  assert.equal(needsChangedPaths([ignoring], push({ ...unknown, ...tagged })), false);
  assert.equal(
    needsChangedPaths([ignoring], push({ ...unknown, deleted: true, sha: undefined })),
    false,
  );
  assert.equal(needsChangedPaths([ignoring], push({ ...unknown, repository: 'a/b' })), false);
  assert.equal(needsChangedPaths([ignoring], release()), false);
});

test('a release matches by its action, and never while it is a draft', () => {
  check('on: release', release(), 'matches');
  check('on: release', release({ action: 'created' }), ['on.release.types']);
  check('on: { release: { types: [created, edited] } }', release({ action: 'edited' }), 'matches');
  check('on: release', release({ draft: true }), ['on.release']);
});

const CI = 'on: { workflow_run: { workflows: [CI], branches: [main] } }';

test('a workflow run matches by workflow, branch, type and conclusion', () => {
  check(CI, workflowRun(), 'matches');
  check(CI, workflowRun({ workflow: 'Lint' }), ['on.workflow_run.workflows']);
  check(CI, workflowRun({ branch: 'next' }), ['on.workflow_run.branches']);
  check(CI, workflowRun({ branch: undefined }), ['on.workflow_run.branches']);
  check(CI, workflowRun({ conclusion: 'failure' }), ['on.workflow_run.conclusions']);
  check(CI, workflowRun({ action: 'requested', conclusion: undefined }), ['on.workflow_run.types']);
  check(
    'on: { workflow_run: { workflows: [CI], types: [requested] } }',
    workflowRun({ action: 'requested', conclusion: undefined }),
    'matches',
  );
});

test('a workflow run from a fork or for a pull request never matches, whatever its branch is called', () => {
  const from = 'on.workflow_run.head_repository';
  check(CI, workflowRun({ headRepository: 'mallory/shop' }), [from]);
  check(CI, workflowRun({ headRepository: undefined }), [from]);
  check(CI, workflowRun({ headRepository: 'Acme/SHOP' }), 'matches');
  for (const trigger of ['pull_request', 'pull_request_target', 'pull_request_review']) {
    check(CI, workflowRun({ trigger }), ['on.workflow_run.event']);
  }
});

test('a workflow that ran for a merge queue matches only where the branches name the queue', () => {
  const queued = workflowRun({ trigger: 'merge_group', branch: 'gh-readonly-queue/main/pr-1-ab' });
  const on = (lists: string) => `on: { workflow_run: { workflows: [CI]${lists} } }`;
  for (const lists of ['', ', branches: ["**"]', ', branches-ignore: [next]']) {
    check(on(lists), queued, ['on.workflow_run.event']);
  }
  check(on(', branches: ["gh-readonly-queue/main/**"]'), queued, 'matches');
  // A workflow that runs for every push runs for those of the queue, too.
  for (const trigger of ['push', 'workflow_dispatch']) {
    check(on(', branches: ["**"]'), { ...queued, trigger }, ['on.workflow_run.event']);
  }
});

test('a push of a merge queue matches only where the branches name the queue', () => {
  const branch = 'gh-readonly-queue/main/pr-1-ab';
  const queued = push({ branch, ref: `refs/heads/${branch}` });
  for (const on of ['push', '{ push: { branches: ["**"] } }', '{ push: { branches-ignore: [x] } }'])
    check(`on: ${on}`, queued, ['on.push.branches']);
  check('on: { push: { branches: ["gh-readonly-queue/main/**"] } }', queued, 'matches');
  const tag = { ref: `refs/tags/${branch}`, branch: undefined, tag: branch };
  check('on: push', push(tag), 'matches');
});

test('a workflow that ran for a tag called like the branch, or for a commit that left it, is not for that branch', () => {
  check(CI, workflowRun({ headIs: 'branch' }), 'matches');
  check(CI, workflowRun({ headIs: 'tag' }), ['on.workflow_run.head_sha']);
  check(CI, workflowRun({ headIs: 'neither' }), ['on.workflow_run.head_sha']);
  check('on: { workflow_run: { workflows: [CI] } }', workflowRun({ headIs: 'tag' }), 'matches');
});

test('workflow names are taken as written, and as patterns where they are some', () => {
  const on = (workflows: string) => `on: { workflow_run: { workflows: ${workflows} } }`;
  check(on(`['C++ build']`), workflowRun({ workflow: 'C++ build' }), 'matches');
  check(on(`['Build [web]']`), workflowRun({ workflow: 'Build [web]' }), 'matches');
  check(on(`['CI*', '!CI nightly']`), workflowRun({ workflow: 'CI main' }), 'matches');
  check(on(`['CI*', '!CI nightly']`), workflowRun({ workflow: 'CI nightly' }), [
    'on.workflow_run.workflows',
  ]);
});

test('"if" decides over the payload and the spec', () => {
  const yaml = `on: push\nif: "!event.head_commit.message.contains('[skip deploy]')"`;
  check(yaml, push(), 'matches', { head_commit: { message: 'fix' } });
  check(yaml, push(), ['if'], { head_commit: { message: 'fix [skip deploy]' } });
  check(`on: push\nif: spec.environment == 'production'`, push(), 'matches');
  check('on: push\nif: false', push(), ['if']);
});

test('an "if" that cannot be decided does not hold, and says why', () => {
  const yaml = `on: push\nif: event.head_commit.message != ''`;
  const verdict = matchSpec(spec(yaml), push(), { head_commit: null });
  assert.equal(verdict.matched, false);
  assert.match(
    verdict.reasons.at(-1)?.detail ?? '',
    /event\.head_commit\.message does not exist.*has\(/,
  );
  const odd = JSON.parse('{ "head_commit": { "message": "x", "constructor": 1 } }') as Json;
  assert.match(
    matchSpec(spec(yaml), push(), odd).reasons.at(-1)?.detail ?? '',
    /cannot be evaluated: an object that it reads has a key "constructor"/,
  );
});

test('conditions after the first that fails are looked at too', () => {
  const verdict = matchSpec(
    spec(`on: { push: { branches: next, paths: 'docs/**' } }\nif: event.x == 1`),
    push(),
    { x: 2 },
  );
  assert.deepEqual(unmet(verdict), ['on.push.branches', 'on.push.paths', 'if']);
});
