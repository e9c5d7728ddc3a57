import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { buttonsFor } from '../../src/callbacks/check-buttons.ts';
import { plain } from '../../src/callbacks/check-output.ts';
import { check, checkOf, shownOf, type CheckCallback } from '../../src/callbacks/check.ts';
import { callbacksFor, permissionsFor } from '../../src/callbacks/index.ts';
import { createSender } from '../../src/callbacks/send.ts';
import type { FeedbackKind } from '../../src/model/deployment-spec.ts';
import type { Gate } from '../../src/model/gate.ts';
import { IMPORTANCE } from '../../src/model/importance.ts';
import { RUN_STATES, type Run, type RunState } from '../../src/model/run.ts';
import type { Store } from '../../src/store/index.ts';
import type { OutboxEntry } from '../../src/store/outbox.ts';
import { startStandIn, type Received, type Reply } from '../github/stand-in.ts';
import { connect, createTestClock } from '../github/support.ts';
import { sampleRun } from '../store/samples.ts';
import { newStore } from '../support/new-store.ts';

const ENTRY = { id: 1, run: 'r1', createdAt: 0 } as OutboxEntry;

async function openStore(t: TestContext): Promise<Store> {
  const directory = await mkdtemp(join(tmpdir(), 'mainsheet-check-'));
  const store = await newStore(join(directory, 'mainsheet.db'));
  t.after(async () => {
    await store.close();
    await rm(directory, { recursive: true, force: true });
  });
  return store;
}

function changeTo(
  changes: Partial<Run>,
  previous: RunState | undefined,
  feedback: FeedbackKind[] = ['check'],
  gates: Gate[] = [],
) {
  return {
    run: { ...sampleRun('r1'), sequence: 1, ...changes },
    spec: { feedback, gates, notify: [], productionEnvironment: true, transientEnvironment: false },
    previous,
    wasDeployed: false,
    publicUrl: 'https://m.example',
  };
}

const callback = (changes: Partial<Run> = {}, previous: RunState = 'running') =>
  checkOf(changeTo(changes, previous));

/** What is rendered when the store has the run so. */
async function rendered(store: Store, one: CheckCallback, now: Partial<Run> = {}) {
  const run = await store.runs.get('r1');
  assert.ok(run);
  await store.runs.update({ ...run, state: one.state, ...now }, { state: run.state });
  return await check.render(one, ENTRY, { store, publicUrl: undefined } as never);
}

/** Sends the check of a run to a GitHub that answers so, and tells which requests it got. */
async function sent(
  t: TestContext,
  one: Awaited<ReturnType<typeof rendered>>,
  answer: (request: Received) => Reply,
  retried = false,
) {
  const server = await startStandIn(t, answer);
  const clock = createTestClock();
  const { github } = connect(server.url, { clock });
  const signal = new AbortController().signal;
  const result = await createSender({ github, clock }).send(one, { retried, ageMs: 0, signal });
  return { id: result.id, requests: server.requests };
}

const made: Reply = { status: 201, body: { id: 7 } };
const changed: Reply = { status: 200, body: { id: 7 } };

test('a check run follows the run’s states, and only what was deployed passes', () => {
  const shown = (wasDeployed: boolean) =>
    RUN_STATES.map((state) => {
      const { status, conclusion } = shownOf(changeTo({ state }, undefined).run, wasDeployed);
      return `${state}: ${status} ${conclusion ?? ''}`.trim();
    });
  assert.deepEqual(shown(false), [
    'queued: queued',
    'blocked: queued',
    'running: in_progress',
    'succeeded: completed success',
    'failed: completed failure',
    'cancelled: completed cancelled',
    'superseded: completed cancelled',
  ]);
  assert.deepEqual(shown(true).slice(-1), ['superseded: completed success']);
});

test('its buttons are what may be asked of the run now', () => {
  const buttons = (state: RunState, hasGate = false, reason = '') =>
    buttonsFor({ state, reason }, hasGate, undefined).map(({ identifier }) => identifier);
  assert.deepEqual(buttons('running'), ['cancel']);
  assert.deepEqual(buttons('blocked'), ['cancel']);
  assert.deepEqual(buttons('blocked', true), ['approve', 'reject']);
  assert.deepEqual(buttons('blocked', true, 'Paused by admin'), ['cancel']);
  assert.deepEqual(buttons('failed', true), ['retry', 'rollback']);
  assert.deepEqual(buttons('superseded'), ['retry']);
  const back = buttonsFor({ state: 'succeeded', reason: '' }, false, 'a'.repeat(40)).at(-1);
  assert.equal(back?.description, 'Deploy aaaaaaa, which was there before');
  assert.ok(back.description.length <= 40);
});

test('a spec is told of in the ways that its feedback names', () => {
  const kinds = (feedback: FeedbackKind[]) =>
    callbacksFor(changeTo({ state: 'queued' }, undefined, feedback)).map(({ kind }) => kind);
  assert.deepEqual(kinds([]), []);
  assert.deepEqual(kinds(['status']), ['status']);
  assert.deepEqual(kinds(['deployment']), ['deployment']);
  assert.deepEqual(kinds(['check', 'status']), ['status', 'check']);
  const needed = permissionsFor(['check']).map(({ name, least }) => `${name}: ${least}`);
  assert.deepEqual(needed, ['checks: write']);
});

test('its end counts as the run’s end in the budget when no status says it', () => {
  const importance = (feedback: FeedbackKind[], state: RunState) =>
    check.importance(checkOf(changeTo({ state }, 'running', feedback)));
  assert.equal(importance(['check'], 'failed'), IMPORTANCE.final);
  assert.equal(importance(['status', 'check'], 'failed'), IMPORTANCE.deployment);
  assert.equal(importance(['check'], 'queued'), IMPORTANCE.intermediate);
});

test('steps are a table with their durations, and the failing one’s log is quoted to its end', async (t) => {
  const store = await openStore(t);
  const run = await store.runs.insert(sampleRun('r1'), [
    'Build',
    'Test | <b>it</b> @all',
    'Deploy',
  ]);
  assert.ok(run);
  const times = { attempts: 1, startedAt: 1000, finishedAt: 13_300 };
  const step = { index: 0, name: '', exitCode: 0, reason: '', ...times } as const;
  await store.steps.update('r1', { ...step, name: 'Build', state: 'succeeded' });
  await store.steps.update('r1', {
    ...step,
    index: 1,
    name: 'Test | <b>it</b> @all',
    state: 'failed',
    exitCode: 1,
    reason: 'exited with 1',
  });
  const lines = [
    `${'x'.repeat(70_000)}\n`,
    '\u001b[31mred\u001b[0m ``` *star*\n',
    'src/app.ts(3,7): error TS2304: no x\n',
  ];
  const chunks = lines.map(
    (text, seq) => ({ seq, at: 0, step: 1, stream: 'stdout', text }) as const,
  );
  await store.logs.append('r1', chunks);
  const { output } = await rendered(store, callback({ state: 'failed' }));
  assert.match(output.summary, /\| Build \| succeeded \| 12\.3s \|/);
  assert.match(output.summary, /\| Deploy \| pending \| {2}\|/);
  assert.doesNotMatch(output.summary, /<b>|@all|Test \|/);
  assert.ok(output.text !== undefined);
  assert.ok(output.text.endsWith('red ``` *star*\nsrc/app.ts(3,7): error TS2304: no x\n````'));
  assert.ok(!output.text.includes('\u001b') && Buffer.byteLength(output.text) < 64 * 1024);
  assert.deepEqual(
    output.annotations?.map(({ path, start_line }) => `${path}:${start_line}`),
    ['src/app.ts:3'],
  );
});

test('no text of others begins a list or a line across, or becomes a link by itself', () => {
  for (const [text, shown] of [
    ['- a', '&#45; a'],
    ['---', '&#45;--'],
    ['1. a 2.5', '1&#46; a 2.5'],
    ['=', '&#61;'],
    ['see WWW.evil.example', 'see WWW&#46;evil.example'],
    ['https://evil.example', 'https&#58;//evil.example'],
  ] as const) {
    assert.equal(plain(text), shown);
  }
});

test('of a step that waits for people its plan is shown as a diff', async (t) => {
  const store = await openStore(t);
  await store.runs.insert(sampleRun('r1'), ['Infrastructure']);
  const [step] = await store.steps.ofRun('r1');
  assert.ok(step);
  await store.steps.update('r1', { ...step, attempts: 1 });
  const text = `\u001b[0m  \u001b[33m~\u001b[0m resource "a" "b" {
      \u001b[31m-\u001b[0m old = 1
      \u001b[32m+\u001b[0m new = -1
    }
  -/+ resource "c" "d"\n`;
  await store.logs.append('r1', [{ seq: 0, at: 0, step: 0, stream: 'stdout', text }]);
  const { output } = await rendered(store, callback({ state: 'blocked' }));
  assert.equal(
    output.text,
    `The end of the log of Infrastructure:

\`\`\`diff
!   resource "a" "b" {
-       old = 1
+       new = -1
    }
-/+   resource "c" "d"
\`\`\``,
  );
});

test('what GitHub takes is made of it: texts of at most 65,535 characters', async (t) => {
  const store = await openStore(t);
  const names = Array.from({ length: 100 }, (_, index) => `${index} ${'<'.repeat(190)}`);
  await store.runs.insert(sampleRun('r1'), names);
  const one = await rendered(store, checkOf(changeTo({ state: 'queued' }, undefined)));
  assert.ok(one.output.summary.length < 65_535, `${one.output.summary.length}`);
  assert.match(one.output.summary, /… and \d+ more/);
  const { id, requests } = await sent(t, one, () => made);
  assert.equal(id, 7);
  const [request] = requests;
  assert.equal(`${request?.method} ${request?.path}`, 'POST /repos/acme/storefront/check-runs');
  assert.partialDeepStrictEqual(request?.body, {
    name: 'deploy/storefront',
    external_id: 'r1',
    status: 'queued',
    details_url: 'https://m.example/runs/r1',
  });
});

test('a check run that is known is changed, and none is made', async (t) => {
  const store = await openStore(t);
  await store.runs.insert(sampleRun('r1'), []);
  await store.outbox.setNumber('check:r1', 'r1', 7);
  const end = await rendered(store, callback({ state: 'succeeded' }), {
    startedAt: 1000,
    finishedAt: 2000,
  });
  const { requests } = await sent(t, end, () => changed);
  assert.deepEqual(
    requests.map(({ method, path }) => `${method} ${path}`),
    ['PATCH /repos/acme/storefront/check-runs/7'],
  );
  assert.partialDeepStrictEqual(requests[0]?.body, {
    status: 'completed',
    conclusion: 'success',
    started_at: '1970-01-01T00:00:01.000Z',
    completed_at: '1970-01-01T00:00:02.000Z',
  });
});

test('a check run in doubt is looked for by the run’s id before it is made again', async (t) => {
  const store = await openStore(t);
  await store.runs.insert(sampleRun('r1'), []);
  const first = await rendered(store, checkOf(changeTo({ state: 'queued' }, undefined)));
  const later = await rendered(store, callback({ state: 'running' }, 'queued'));
  const answer = (found: unknown[]) => (request: Received) => {
    if (request.method === 'POST') return made;
    const isList = request.path.includes('/commits/');
    return isList ? { status: 200, body: { total_count: 1, check_runs: found } } : changed;
  };
  const others = [{ id: 5, external_id: 'r0' }, { id: 6 }];
  const requestsFor = async (one: typeof first, found: unknown[], retried: boolean) =>
    (await sent(t, one, answer(found), retried)).requests.map(({ method }) => method);
  assert.deepEqual(await requestsFor(first, others, false), ['POST']);
  assert.deepEqual(await requestsFor(first, others, true), ['GET', 'POST']);
  // The first one was dropped for this one, and may have been made before that.
  assert.deepEqual(await requestsFor(later, others, false), ['GET', 'POST']);
  const there = [...others, { id: 7, external_id: 'r1' }];
  assert.deepEqual(await requestsFor(later, there, false), ['GET', 'PATCH']);
});

test('annotations that a try before may have brought are not added again', async (t) => {
  const store = await openStore(t);
  await store.runs.insert(sampleRun('r1'), ['Build']);
  await store.outbox.setNumber('check:r1', 'r1', 7);
  const step = { index: 0, name: 'Build', attempts: 1, exitCode: 1, reason: '' };
  await store.steps.update('r1', { ...step, state: 'failed', startedAt: 0, finishedAt: 1 });
  const chunk = { seq: 0, at: 0, step: 0, stream: 'stderr', text: 'a.c:1: error: x\n' } as const;
  await store.logs.append('r1', [chunk]);
  const end = await rendered(store, callback({ state: 'failed' }));
  const annotated = async (count: number, retried: boolean) => {
    const body = { id: 7, output: { annotations_count: count } };
    const { requests } = await sent(t, end, () => ({ status: 200, body }), retried);
    const told = requests.at(-1)?.body as { output: object };
    return 'annotations' in told.output;
  };
  assert.equal(await annotated(0, false), true);
  assert.equal(await annotated(0, true), true);
  assert.equal(await annotated(1, true), false);
  // Nor for a note.
  const noted = await rendered(store, {
    ...callback({ state: 'failed' }),
    note: '@eve may not <b>',
  });
  assert.equal(noted.output.annotations, undefined);
  assert.match(noted.output.summary, /^> &#64;&#8203;eve may not &#60;b&#62;/);
});

test('what is sent is the run as it is then, however late it is sent (G5)', async (t) => {
  const store = await openStore(t);
  await store.runs.insert(sampleRun('r1'), []);
  const late = await rendered(store, callback({ state: 'running' }, 'queued'), { state: 'failed' });
  assert.deepEqual([late.status, late.conclusion], ['completed', 'failure']);
  assert.equal(late.output.title, 'Failed: Waiting in lane main');
});
