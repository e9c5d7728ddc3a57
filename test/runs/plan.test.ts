import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DeployableEvent, PushEvent } from '../../src/model/event.ts';
import type { Run } from '../../src/model/run.ts';
import { planRun } from '../../src/runs/plan.ts';
import { sampleLoaded } from './samples.ts';

const PUSH: PushEvent = {
  kind: 'push',
  repository: 'Acme/Storefront',
  ref: 'refs/heads/release/1',
  branch: 'release/1',
  tag: undefined,
  before: undefined,
  sha: 'b'.repeat(40),
  created: true,
  deleted: false,
  forced: false,
  changedPaths: { complete: true, paths: [] },
};

const plan = (event: DeployableEvent) =>
  planRun({ delivery: 'd1', event, sha: 'b'.repeat(40), cause: 'event' }, sampleLoaded(), 'r1', 9);

test('a planned run holds all that the spec and the event say, and waits', () => {
  assert.deepEqual(plan(PUSH), {
    id: 'r1',
    spec: 'storefront',
    specDigest: sampleLoaded().digest,
    repository: 'Acme/Storefront',
    environment: 'production',
    lane: 'main',
    ref: 'refs/heads/release/1',
    branch: 'release/1',
    tag: undefined,
    sha: 'b'.repeat(40),
    event: 'push',
    delivery: 'd1',
    batch: undefined,
    cause: 'event',
    state: 'queued',
    reason: 'Waiting in lane main',
    fault: undefined,
    cancelRequested: undefined,
    attempts: 0,
    outputs: {},
    maskedOutputs: undefined,
    createdAt: 9,
    startedAt: undefined,
    finishedAt: undefined,
  });
});

test('ref, branch and tag follow from the event', () => {
  const release: DeployableEvent = {
    kind: 'release',
    repository: 'acme/storefront',
    action: 'published',
    tag: 'v1/2',
    draft: false,
    prerelease: false,
    sha: 'b'.repeat(40),
  };
  const workflow: DeployableEvent = {
    kind: 'workflow_run',
    repository: 'acme/storefront',
    action: 'completed',
    workflow: 'CI',
    conclusion: 'success',
    branch: 'main',
    sha: 'c'.repeat(40),
    trigger: 'push',
    headRepository: 'acme/storefront',
  };
  const events: [DeployableEvent, Partial<Run>][] = [
    [PUSH, { ref: 'refs/heads/release/1', branch: 'release/1', tag: undefined }],
    [
      { ...workflow, branch: 'v1', headIs: 'tag' },
      { ref: 'refs/tags/v1', branch: undefined, tag: 'v1' },
    ],
    [
      { ...PUSH, ref: 'refs/tags/v1', branch: undefined, tag: 'v1' },
      { ref: 'refs/tags/v1', branch: undefined, tag: 'v1' },
    ],
    [release, { ref: 'refs/tags/v1/2', branch: undefined, tag: 'v1/2' }],
    [workflow, { ref: 'refs/heads/main', branch: 'main', tag: undefined }],
    [
      { ...workflow, branch: undefined },
      { ref: 'c'.repeat(40), branch: undefined },
    ],
  ];
  for (const [event, expected] of events) {
    const planned = plan(event);
    assert.equal(planned.event, event.kind);
    assert.partialDeepStrictEqual(planned, expected);
  }
});
