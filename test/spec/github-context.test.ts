import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseEvent } from '../../src/sources/github/events.ts';
import type { Json } from '../../src/model/event.ts';
import { githubContext, subjectOf } from '../../src/spec/github-context.ts';
import { parseSpecs } from '../../src/spec/load.ts';
import { matchSpec } from '../../src/spec/match.ts';

const sha = 'b'.repeat(40);
const repository = { full_name: 'Acme/Shop', default_branch: 'main' };
const sender = { login: 'alice' };

const push = (ref: string) => ({
  ref,
  before: 'a'.repeat(40),
  after: sha,
  head_commit: { id: sha },
  commits: [],
  repository,
  sender,
});
const release = { action: 'published', release: { tag_name: 'v1/a' }, repository, sender };
const workflowRun = (branch: string) => ({
  action: 'completed',
  workflow_run: {
    name: 'CI',
    event: 'push',
    conclusion: 'success',
    head_branch: branch,
    head_sha: sha,
    head_repository: repository,
  },
  repository,
  sender,
});

const SPEC = { name: 'shop', repository: 'acme/shop' };

for (const [what, name, payload, expected] of [
  [
    'a push to a branch',
    'push',
    push('refs/heads/release/1'),
    { ref: 'refs/heads/release/1', ref_name: 'release/1', ref_type: 'branch', sha },
  ],
  [
    'a push of a tag',
    'push',
    push('refs/tags/v1'),
    { ref: 'refs/tags/v1', ref_name: 'v1', ref_type: 'tag', sha },
  ],
  [
    'a release, whose commit git has found',
    'release',
    release,
    { ref: 'refs/tags/v1/a', ref_name: 'v1/a', ref_type: 'tag', sha },
  ],
  [
    'a workflow for the default branch',
    'workflow_run',
    workflowRun('main'),
    { ref: 'refs/heads/main', ref_name: 'main', ref_type: 'branch', sha },
  ],
  [
    'a workflow for another branch, which is not what Actions would name',
    'workflow_run',
    workflowRun('next'),
    { ref: 'refs/heads/main', ref_name: 'main', ref_type: 'branch', sha: undefined },
  ],
] as const) {
  test(`github is as Actions has it: ${what}`, () => {
    const event = parseEvent(name, payload);
    const subject = subjectOf(event.kind === 'release' ? { ...event, sha } : event, SPEC);
    assert.ok(subject);
    assert.deepEqual(githubContext(subject, payload), {
      event_name: name,
      event: payload,
      actor: 'alice',
      repository: 'Acme/Shop',
      ...expected,
    });
  });
}

function verdictOf(condition: string, name: string, payload: unknown) {
  const text = `name: shop\nrepository: acme/shop\non: { push: , release: , workflow_run: { workflows: [CI] } }\nif: ${JSON.stringify(condition)}\nsteps: [{ run: x }]\n`;
  const { specs, problems } = parseSpecs('x.yaml', text);
  assert.deepEqual(problems, []);
  assert.ok(specs[0]);
  const { matched, reasons } = matchSpec(specs[0].spec, parseEvent(name, payload as Json), payload);
  return { matched, detail: reasons.at(-1)?.detail ?? '' };
}

test('a spec with several triggers tells them apart, and the verdict says what it saw', () => {
  const condition =
    "github.event_name != 'push' || github.ref_type == 'tag' || github.event.after == ''";
  assert.equal(verdictOf(condition, 'release', release).matched, true);
  assert.equal(verdictOf(condition, 'push', push('refs/tags/v1')).matched, true);
  const { matched, detail } = verdictOf(condition, 'push', push('refs/heads/main'));
  assert.equal(matched, false);
  assert.match(detail, / is false: github.event_name is push, github.ref_type is branch$/);
});

test('what is not known can be asked for with has()', () => {
  const unsigned = { ...push('refs/heads/main'), sender: undefined };
  assert.equal(verdictOf('!has(github.actor) && !has(event.x)', 'push', unsigned).matched, true);
  assert.match(verdictOf("github.actor == 'a'", 'push', unsigned).detail, /github.actor does not/);
  assert.equal(verdictOf('!has(github.sha)', 'workflow_run', workflowRun('next')).matched, true);
});
