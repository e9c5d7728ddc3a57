import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Concurrency } from '../../src/model/deployment-spec.ts';
import type { DeployableEvent, PushEvent } from '../../src/model/event.ts';
import type { Run } from '../../src/model/run.ts';
import { laneEffects, planRun } from '../../src/runs/plan.ts';
import { sampleRun } from '../store/samples.ts';
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
    cause: 'event',
    state: 'queued',
    reason: 'Waiting in lane main',
    fault: undefined,
    cancelRequested: undefined,
    attempts: 0,
    outputs: {},
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

const NEWEST: Concurrency = { lane: 'main', queue: 'newest', cancelRunning: false };
const at = (sequence: number, state: Run['state'], spec = 'storefront'): Run => ({
  ...sampleRun(`r${sequence}`),
  sequence,
  state,
  spec,
});
const effects = (run: Run, active: Run[], concurrency: Concurrency) => {
  const { supersede, cancel } = laneEffects(run, active, concurrency);
  return [supersede.map(({ id }) => id), cancel.map(({ id }) => id)];
};

test('a newer run supersedes what waits before it and leaves alone what runs (G4)', () => {
  const active = [at(1, 'running'), at(2, 'blocked'), at(3, 'queued'), at(4, 'queued')];
  assert.deepEqual(effects(at(4, 'queued'), active, NEWEST), [['r2', 'r3'], []]);
});

test('a run never touches a newer one', () => {
  const active = [at(1, 'queued'), at(2, 'queued'), at(3, 'running')];
  assert.deepEqual(effects(at(1, 'queued'), active, { ...NEWEST, cancelRunning: true }), [[], []]);
});

test('specs that share a lane take turns and do not replace each other', () => {
  const active = [at(1, 'running', 'docs'), at(2, 'queued', 'docs'), at(3, 'queued')];
  assert.deepEqual(effects(at(4, 'queued'), active, { ...NEWEST, cancelRunning: true }), [
    ['r3'],
    [],
  ]);
});

test('with queue all every run has its turn', () => {
  const active = [at(1, 'running'), at(2, 'queued')];
  assert.deepEqual(effects(at(3, 'queued'), active, { ...NEWEST, queue: 'all' }), [[], []]);
});

test('with cancel-running the one that runs is to stop', () => {
  const active = [at(1, 'running'), at(2, 'queued')];
  const cancelRunning = true;
  assert.deepEqual(effects(at(3, 'queued'), active, { ...NEWEST, cancelRunning }), [
    ['r2'],
    ['r1'],
  ]);
  assert.deepEqual(effects(at(3, 'queued'), active, { ...NEWEST, queue: 'all', cancelRunning }), [
    [],
    ['r1'],
  ]);
});
