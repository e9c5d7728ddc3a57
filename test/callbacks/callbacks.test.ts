import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  callbacksFor,
  isObsolete,
  kindOf,
  toEntry,
  type AnyCallback,
} from '../../src/callbacks/index.ts';
import { DEFAULT_FEEDBACK } from '../../src/model/deployment-spec.ts';
import { RUN_STATES, type Run, type RunState } from '../../src/model/run.ts';
import type { AnyNotify } from '../../src/spec/notify/index.ts';

const SHA = 'a'.repeat(40);

function runWith(changes: Partial<Run> = {}): Run {
  return {
    id: '01run',
    spec: 'shop',
    specDigest: 'd',
    repository: 'Acme/Shop',
    environment: 'production',
    lane: 'shop-production',
    sequence: 1,
    ref: 'refs/heads/main',
    branch: 'main',
    tag: undefined,
    sha: SHA,
    event: 'push',
    delivery: 'x',
    batch: undefined,
    cause: 'event',
    state: 'queued',
    reason: '',
    fault: undefined,
    cancelRequested: undefined,
    attempts: 0,
    outputs: {},
    maskedOutputs: undefined,
    createdAt: 0,
    startedAt: undefined,
    finishedAt: undefined,
    ...changes,
  };
}

const NOTIFY: AnyNotify[] = [
  { kind: 'webhook', on: ['failed'], url: 'https://x.example', secret: undefined },
  {
    kind: 'dispatch',
    on: ['succeeded', 'failed'],
    repository: 'a/hub',
    eventType: 'e',
    payload: {},
  },
];

function changeTo(
  changes: Partial<Run>,
  previous: RunState | undefined,
  wasDeployed = false,
): AnyCallback[] {
  const spec = {
    feedback: DEFAULT_FEEDBACK,
    gates: [],
    notify: NOTIFY,
    productionEnvironment: true,
    transientEnvironment: false,
  };
  return callbacksFor({
    run: runWith(changes),
    spec,
    previous,
    wasDeployed,
    publicUrl: 'https://m.example/',
  });
}

/** Kinds and states, in order. */
function shape(callbacks: AnyCallback[]): string[] {
  return callbacks.map((callback) =>
    'state' in callback ? `${callback.kind} ${callback.state}` : callback.kind,
  );
}

const targetOf = (callback: AnyCallback) => kindOf(callback).target(callback);

function descriptionOf(changes: Partial<Run>): string {
  const [status] = changeTo(changes, 'running');
  assert.ok(status?.kind === 'status');
  return status.description;
}

test('a new run sets a pending status and creates its deployment, which is pending by itself', () => {
  assert.deepEqual(changeTo({ reason: 'waiting in lane shop' }, undefined), [
    {
      kind: 'status',
      repository: 'Acme/Shop',
      sha: SHA,
      context: 'mainsheet/shop',
      state: 'pending',
      description: 'Queued: waiting in lane shop',
      targetUrl: 'https://m.example/runs/01run',
    },
    {
      kind: 'deployment',
      repository: 'Acme/Shop',
      runId: '01run',
      spec: 'shop',
      sha: SHA,
      environment: 'production',
      production: true,
      transient: false,
      description: 'Mainsheet: shop',
    },
  ]);
});

test('each change of state is told as GitHub’s words have it', () => {
  const cases: [Partial<Run>, RunState, string[]][] = [
    [{ state: 'blocked' }, 'queued', ['status pending', 'deployment-status queued']],
    [{ state: 'queued' }, 'blocked', ['status pending']],
    [{ state: 'queued' }, 'running', ['status pending']],
    [{ state: 'running' }, 'queued', ['status pending', 'deployment-status in_progress']],
    [
      { state: 'succeeded' },
      'running',
      ['status success', 'deployment-status success', 'dispatch'],
    ],
    [
      { state: 'failed', fault: 'step' },
      'running',
      ['status failure', 'deployment-status failure', 'webhook', 'dispatch'],
    ],
    [
      { state: 'failed', fault: 'mainsheet' },
      'running',
      ['status error', 'deployment-status error', 'webhook', 'dispatch'],
    ],
    [{ state: 'cancelled' }, 'running', ['status error', 'deployment-status inactive']],
    [{ state: 'superseded' }, 'queued', ['status error', 'deployment-status inactive']],
  ];
  for (const [changes, previous, expected] of cases) {
    assert.deepEqual(
      shape(changeTo(changes, previous)),
      expected,
      `${previous} → ${changes.state}`,
    );
  }
});

test('a Deployment that succeeded shows the environment’s address that a step has put out, no other does', () => {
  const outputs = { environment_url: 'https://shop.example' };
  const shown = (changes: Partial<Run>, previous: RunState) =>
    changeTo({ ...changes, outputs }, previous).flatMap((callback) =>
      callback.kind === 'deployment-status' ? [callback.environmentUrl] : [],
    );
  assert.deepEqual(shown({ state: 'succeeded' }, 'running'), ['https://shop.example']);
  assert.deepEqual(shown({ state: 'failed' }, 'running'), [undefined]);
});

test('a Deployment shows no address in which a secret is masked', () => {
  const outputs = { environment_url: 'https://***.shop.example' };
  const addresses = (maskedOutputs: string[]) =>
    changeTo({ state: 'succeeded', outputs, maskedOutputs }, 'running').flatMap((callback) =>
      callback.kind === 'deployment-status' ? [callback.environmentUrl] : [],
    );
  assert.deepEqual(addresses(['environment_url']), [undefined]);
  assert.deepEqual(addresses(['version']), ['https://***.shop.example']);
});

test('a paused run says that it is paused, by whom and why, and not twice', () => {
  const reason = 'Paused by admin since 2026-01-02T03:04Z (lane shop): the database moves';
  assert.equal(descriptionOf({ state: 'blocked', reason }), reason);
  const gate = descriptionOf({ state: 'blocked', reason: 'waits for approval' });
  assert.equal(gate, 'Blocked: waits for approval');
});

test('a state that did not change is not told again', () => {
  for (const state of RUN_STATES) assert.deepEqual(changeTo({ state }, state), []);
});

test('a run that ended as it was made has a status, and no deployment', () => {
  assert.deepEqual(shape(changeTo({ state: 'superseded' }, undefined)), ['status error']);
});

test('a run that starts blocked has its deployment from the start', () => {
  const expected = ['status pending', 'deployment', 'deployment-status queued'];
  assert.deepEqual(shape(changeTo({ state: 'blocked' }, undefined)), expected);
});

test('success is never said of what was not deployed', () => {
  for (const state of RUN_STATES.filter((state) => state !== 'succeeded')) {
    for (const previous of [undefined, ...RUN_STATES]) {
      const said = shape(changeTo({ state }, previous)).filter((line) => line.endsWith('success'));
      assert.deepEqual(said, []);
    }
  }
});

test('a notification names the entry of the spec and keeps the run as it was', () => {
  const [, , webhook, dispatch] = changeTo({ state: 'failed', reason: 'x' }, 'running');
  assert.ok(webhook?.kind === 'webhook' && dispatch?.kind === 'dispatch');
  assert.deepEqual([webhook.notify, dispatch.notify], [0, 1]);
  assert.equal(dispatch.run.reason, 'x');
});

test('descriptions are one line of at most 140 whole characters', () => {
  assert.equal(
    descriptionOf({ state: 'failed', reason: 'step "Build"\n\texited\u0007 with 1' }),
    'Failed: step "Build" exited with 1',
  );
  assert.equal(
    descriptionOf({ state: 'superseded', reason: 'superseded by run 2' }),
    'Superseded by run 2',
  );
  assert.equal(
    descriptionOf({ state: 'succeeded', startedAt: 1000, finishedAt: 13_300, reason: 'Deployed' }),
    'Deployed to production in 12.3s',
  );
  const long = descriptionOf({ state: 'failed', reason: '🚢'.repeat(200) });
  assert.equal(Array.from(long).length, 140);
  assert.ok(long.isWellFormed() && long.endsWith('🚢…'));
});

test('a run that did nothing to a commit that was deployed before leaves it deployed', () => {
  const stateOf = (changes: Partial<Run>, wasDeployed = true) => {
    const [status] = changeTo(changes, 'queued', wasDeployed);
    return status?.kind === 'status' && [status.state, status.description];
  };
  const reason = 'Superseded: 1111111 is already contained in the deployed 2222222';
  const superseded = { state: 'superseded', reason } as const;
  assert.deepEqual(stateOf(superseded), ['success', `Already deployed. ${reason}`]);
  assert.deepEqual(stateOf(superseded, false), ['error', reason]);
  const cancelled = { state: 'cancelled', reason: 'Cancelled by me' } as const;
  const unstarted = 'Already deployed. Cancelled by me';
  assert.deepEqual(stateOf({ ...cancelled, startedAt: undefined }), ['success', unstarted]);
  assert.deepEqual(stateOf({ ...cancelled, startedAt: 1 }), ['error', 'Cancelled by me']);
});

test('without a public URL there are no links', () => {
  const callbacks = callbacksFor({
    run: runWith(),
    spec: {
      feedback: DEFAULT_FEEDBACK,
      gates: [],
      notify: [],
      productionEnvironment: true,
      transientEnvironment: false,
    },
    previous: undefined,
    wasDeployed: false,
    publicUrl: undefined,
  });
  assert.ok(callbacks[0]?.kind === 'status' && callbacks[0].targetUrl === undefined);
});

test('what must keep its order shares a target: a commit’s status, a run’s deployment, an entry of notify', () => {
  const made = changeTo({ state: 'blocked' }, undefined).map(targetOf);
  assert.deepEqual(made, [
    `status:acme/shop:${SHA}:mainsheet/shop`,
    'deployment:01run',
    'deployment:01run',
  ]);
  const ended = changeTo({ state: 'failed' }, 'running').map(targetOf);
  assert.deepEqual(ended, [made[0], made[1], 'notify:shop:0', 'notify:shop:1']);
});

test('a later status makes an earlier one pointless, in the same target only', () => {
  const [status, deployment, deploymentStatus] = changeTo({ state: 'blocked' }, undefined);
  const [status2, deploymentStatus2] = changeTo({ state: 'running' }, 'queued');
  const [other] = changeTo({ spec: 'other', state: 'running' }, 'queued');
  const [, , webhook, dispatch] = changeTo({ state: 'failed' }, 'running');
  assert.ok(status && deployment && deploymentStatus && status2 && deploymentStatus2);
  assert.ok(other && webhook && dispatch);
  assert.equal(isObsolete(status, status2), true);
  assert.equal(isObsolete(deploymentStatus, deploymentStatus2), true);
  assert.equal(isObsolete(status, other), false);
  assert.equal(isObsolete(status, deploymentStatus2), false);
  assert.equal(isObsolete(deployment, deploymentStatus2), false);
  assert.equal(isObsolete(deploymentStatus2, deployment), false);
  assert.equal(isObsolete(deployment, deployment), false);
  assert.equal(isObsolete(dispatch, dispatch), false);
  assert.equal(isObsolete(webhook, webhook), false);
});

test('what goes to GitHub is put into the outbox for the account that pays, and a mail that gathers for later', () => {
  const from = { run: runWith({ state: 'failed' }), notify: 1 };
  const on = { repository: 'Acme/Shop', pull: 7, comment: 1, reaction: 'confused', text: '' };
  const accounts = [
    toEntry({ kind: 'reply', ...on }),
    toEntry({ kind: 'dispatch', ...from }, NOTIFY),
    toEntry({ kind: 'webhook', ...from }, NOTIFY),
  ].map(({ account }) => account);
  assert.deepEqual(accounts, ['acme', 'a', undefined]);
  const mail = { kind: 'email', batchMs: 900_000, ...from };
  assert.equal(toEntry(mail).delayMs, 900_000);
});
