import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Json } from '../../../src/model/event.ts';
import { parseEvent } from '../../../src/sources/github/events.ts';

const SHA = 'b'.repeat(40);
const CALLBACK =
  'https://api.github.com/repos/acme/shop/actions/runs/42/deployment_protection_rule';

function asked(more: { [key: string]: Json } = {}) {
  return parseEvent('deployment_protection_rule', {
    action: 'requested',
    environment: 'Production',
    event: 'push',
    deployment_callback_url: CALLBACK,
    deployment: { id: 1, sha: SHA, ref: 'main' },
    pull_requests: [],
    repository: { id: 1, full_name: 'acme/shop' },
    sender: { login: 'alice' },
    ...more,
  });
}

function reviewed(more: { [key: string]: Json } = {}) {
  return parseEvent('deployment_review', {
    action: 'approved',
    approver: { login: 'bob' },
    comment: 'fine',
    since: '5 minutes ago',
    workflow_job_runs: [{ environment: 'staging' }, { environment: 'staging' }],
    workflow_run: { id: 42, head_sha: SHA },
    repository: { id: 1, full_name: 'acme/shop' },
    ...more,
  });
}

test('of a job that waits its environment, commit, workflow run and API are read', () => {
  assert.deepEqual(asked(), {
    kind: 'deployment_protection_rule',
    repository: 'acme/shop',
    environment: 'Production',
    trigger: 'push',
    sha: SHA,
    ref: 'main',
    apiUrl: 'https://api.github.com',
    workflowRun: 42,
  });
  const server = asked({
    deployment_callback_url: CALLBACK.replace('api.github.com', 'git.acme.example/api/v3'),
  });
  assert.equal(
    server.kind === 'deployment_protection_rule' && server.apiUrl,
    'https://git.acme.example/api/v3',
  );
});

test('an answer on GitHub names who gave it, the workflow run and the environments', () => {
  assert.deepEqual(reviewed(), {
    kind: 'check',
    repository: 'acme/shop',
    press: 'approve',
    by: 'bob',
    commit: SHA,
    checkRun: undefined,
    review: { workflowRun: 42, environments: ['staging'], comment: 'fine' },
  });
  const rejected = reviewed({ action: 'rejected', comment: 'x'.repeat(1000) });
  assert.ok(rejected.kind === 'check' && rejected.press === 'reject');
  assert.equal(rejected.review?.comment.length, 200);
});

test('what asks nothing, or cannot be such a job, is recorded with the reason', () => {
  for (const [event, reason] of [
    [asked({ action: 'cancelled' }), /no job waits/],
    [reviewed({ action: 'requested' }), /it has not been answered yet/],
    [asked({ deployment_callback_url: CALLBACK.replace('shop', 'other') }), /none of a workflow/],
    [asked({ deployment_callback_url: `${CALLBACK}/../../43` }), /none of a workflow run/],
    [asked({ deployment_callback_url: CALLBACK.replace('42', '0') }), /is no number/],
    [asked({ deployment_callback_url: 'mailto:a@b' }), /none of a workflow run/],
    [asked({ environment: 'x'.repeat(256) }), /longer than any environment/],
    [asked({ deployment: { sha: SHA, ref: '--upload-pack=x' } }), /not a usable ref/],
    [reviewed({ approver: null }), /approver is not an object/],
    [reviewed({ workflow_run: { id: '42', head_sha: SHA } }), /is no number/],
  ] as const) {
    assert.ok(event.kind === 'other', JSON.stringify(event));
    assert.match(event.reason, reason);
  }
});
