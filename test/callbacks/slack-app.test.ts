import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { inspect } from 'node:util';
import { callbacksFor, callbacksForStep, isObsolete, kindOf } from '../../src/callbacks/index.ts';
import { createSender } from '../../src/callbacks/send.ts';
import { RetryableError } from '../../src/lib/errors.ts';
import type { DeploymentSpec } from '../../src/model/deployment-spec.ts';
import { RUN_STATES, type Run, type RunState } from '../../src/model/run.ts';
import type { Callback } from '../../src/model/callback.ts';
import { createRender } from '../../src/runs/render-callback.ts';
import { tellStep } from '../../src/runs/tell-step.ts';
import type { OutboxEntry } from '../../src/store/outbox.ts';
import type { AnyNotify } from '../../src/spec/notify/index.ts';
import { connect, createTestClock, failureOf, isRetryable } from '../github/support.ts';
import { sampleLoaded } from '../runs/samples.ts';
import { sampleRun } from '../store/samples.ts';
import { newStore } from '../support/new-store.ts';
import { BOT_TOKEN, startSlack } from './slack-stand-in.ts';

interface Options {
  steps?: boolean;
  on?: RunState[];
  token?: string;
  buttons?: string;
  gates?: DeploymentSpec['gates'];
}

/** A run, and a Slack that hears of it. */
async function world(
  t: TestContext,
  { steps = false, on = [...RUN_STATES], token = BOT_TOKEN, buttons, gates = [] }: Options = {},
) {
  const directory = await mkdtemp(join(tmpdir(), 'mainsheet-slack-'));
  const store = await newStore(join(directory, 'mainsheet.db'));
  t.after(async () => {
    await store.close();
    await rm(directory, { recursive: true, force: true });
  });
  const slack = await startSlack(t);
  await store.runs.insert(sampleRun('r0', { sha: '0'.repeat(40), state: 'succeeded' }), []);
  await store.runs.insert(sampleRun('r1', { createdAt: 1_700_000_000_000 }), [
    'Build',
    'Ship <b>',
    'Check',
    'Clean',
  ]);
  const { spec } = sampleLoaded({
    notify: [
      {
        kind: 'slack-app',
        on,
        token: 'BOT',
        channel: 'C0123456789',
        text: undefined,
        steps,
        buttons,
      } as AnyNotify,
    ],
    gates,
    secrets: ['BOT'],
  });
  const render = createRender({
    store,
    specOf: async () => spec,
    secret: (name) => (name === 'BOT' ? token : undefined),
    publicUrl: undefined,
  });
  const { github } = connect('http://127.0.0.1:1', { auth: undefined });
  const sender = createSender({ github, clock: createTestClock(), fetch: slack.fetch });
  const signal = new AbortController().signal;

  /** Moves the run on, and gives what is to be told of it. */
  async function become(state: RunState, previous: RunState | undefined) {
    const now = await store.runs.get('r1');
    assert.ok(now);
    const run: Run = { ...now, state };
    await store.runs.update(run, { state: now.state });
    return callbacksFor({
      run,
      spec: { ...spec, feedback: [] },
      previous,
      wasDeployed: false,
      publicUrl: undefined,
    });
  }

  /** One try. `isKept`: whether the process lives long enough to write down what came of it. */
  async function send(
    callback: Awaited<ReturnType<typeof become>>[number] | undefined,
    { retried = false, isKept = true } = {},
  ) {
    assert.ok(callback);
    const entry: Partial<OutboxEntry> = { id: 1, run: 'r1', callback, createdAt: 0 };
    const message = await render(entry as OutboxEntry);
    const { id } = await sender.send(message, { retried, ageMs: 0, signal });
    const name = kindOf(callback).numbered?.(callback);
    if (id !== undefined && name !== undefined && isKept)
      await store.outbox.setNumber(name, 'r1', id);
  }

  async function queue(callback: Callback) {
    await store.outbox.add('r1', [{ target: kindOf(callback).target(callback), callback }], 0);
  }

  /** One try of what is due, as the outbox has it. */
  async function next() {
    const [entry] = await store.outbox.claim(0, 1000, 1);
    if (entry === undefined) return undefined;
    const retried = entry.attempts > 1;
    try {
      const message = await render(entry);
      const { covers = [] } = await sender.send(message, { retried, ageMs: 0, signal });
      for (const id of [entry.id, ...covers]) await store.outbox.finish(id, 'sent', 0);
    } catch (error) {
      await store.outbox.postpone(entry.id, 0, 'failed');
      throw error;
    }
    return entry;
  }

  /** As the runner leaves them: those before succeeded, the last failed. */
  async function runSteps({ first = 1 } = {}) {
    const times = { attempts: 1, startedAt: 0, finishedAt: 3000, exitCode: undefined };
    for (const { index, name } of await store.steps.ofRun('r1')) {
      const state = index < first ? 'succeeded' : 'failed';
      const reason = index < first ? '' : 'exited with 1';
      if (index <= first) await store.steps.update('r1', { ...times, index, name, state, reason });
    }
    const chunk = { seq: 0, at: 0, step: 1, stream: 'stderr', text: '<!here> ``` no\n' } as const;
    await store.logs.append('r1', [chunk]);
  }

  return { slack, store, spec, become, send, runSteps, queue, next };
}

test('a run has one message in the channel, which follows it', async (t) => {
  const { slack, become, send } = await world(t);
  await send((await become('queued', undefined))[0]);
  await send((await become('running', 'queued'))[0]);
  await send((await become('succeeded', 'running'))[0]);
  assert.deepEqual(slack.calls, ['chat.postMessage', 'chat.update', 'chat.update']);
  assert.deepEqual(
    slack.messages.map(({ text }) => text),
    ['storefront: Deployed to production'],
  );
});

test('a state that was not told yet is told by the one after it', async (t) => {
  const { become } = await world(t);
  const [queued] = await become('queued', undefined);
  const [failed, thread] = await become('failed', 'running');
  assert.ok(queued && failed && thread);
  assert.equal(isObsolete(queued, failed), true);
  assert.equal(isObsolete(queued, thread), false);
  // The replies wait for the message.
  assert.equal(kindOf(thread).target(thread), kindOf(failed).target(failed));
});

test('a kill between the posting and the writing down leaves one message', async (t) => {
  const { slack, become, send } = await world(t);
  const [queued] = await become('queued', undefined);
  await send(queued, { isKept: false });
  await send(queued, { retried: true });
  await send((await become('running', 'queued'))[0]);
  assert.equal(slack.messages.length, 1);
  assert.equal(slack.messages[0]?.text, 'storefront: Deploying to production');
});

test('the message of a state that was dropped after it was posted is found by the next', async (t) => {
  const { slack, become, send } = await world(t);
  await send((await become('queued', undefined))[0], { isKept: false });
  await send((await become('running', 'queued'))[0]);
  assert.equal(slack.messages.length, 1);
});

test('an answer that is lost leaves one message, among those of other runs', async (t) => {
  const { slack, become, send } = await world(t);
  const [queued] = await become('queued', undefined);
  slack.troubles.push('lost');
  assert.equal(isRetryable(await failureOf(send(queued))), true);
  const other = { ...slack.messages[0], ts: '1700000000.900000' } as (typeof slack.messages)[0];
  const metadata = { event_type: 'mainsheet_run', event_payload: { run: 'r2', notify: 0 } };
  slack.messages.push({ ...other, metadata });
  await send(queued, { retried: true });
  assert.deepEqual(
    slack.messages.map((message) => message.metadata.event_payload),
    [
      { run: 'r1', notify: 0 },
      { run: 'r2', notify: 0 },
    ],
  );
});

test('a message that was deleted is posted again, once', async (t) => {
  const { slack, become, send } = await world(t);
  await send((await become('queued', undefined))[0]);
  slack.messages.length = 0;
  const [running] = await become('running', 'queued');
  slack.messages.push({
    ts: '1700000000.500000',
    text: 'of a person',
    blocks: [],
    metadata: { event_type: '', event_payload: {} },
  });
  await send(running, { isKept: false });
  await send(running, { retried: true });
  assert.deepEqual(
    slack.messages.map(({ text }) => text),
    ['of a person', 'storefront: Deploying to production'],
  );
});

test('a failed step is told in the thread with the end of its log, in which nothing is markup', async (t) => {
  const { slack, become, send, runSteps } = await world(t);
  await runSteps();
  const [message, thread] = await become('failed', 'running');
  await send(message);
  await send(thread);
  const [first, reply, ...more] = slack.messages;
  assert.deepEqual(more, []);
  assert.equal(reply?.thread_ts, first?.ts);
  const title = '*Ship &lt;b&gt;* failed in 3.0s: exited with 1';
  const element = { type: 'text', text: '<!here> ``` no' };
  assert.deepEqual(reply?.blocks, [
    { type: 'section', text: { type: 'mrkdwn', text: title, verbatim: true } },
    { type: 'rich_text', elements: [{ type: 'rich_text_preformatted', elements: [element] }] },
  ]);
});

test('each step is told once and in order as it succeeds when the spec asks, several at once in one reply, and the rest at the end', async (t) => {
  const { slack, store, spec, become, send, runSteps, queue, next } = await world(t, {
    steps: true,
  });
  await send((await become('running', undefined))[0]);
  const run = await store.runs.get('r1');
  assert.ok(run);
  const told = () => slack.messages.flatMap(({ text, thread_ts }) => (thread_ts ? [text] : []));
  const stepsOf = async (...indexes: number[]) => {
    const steps = await store.steps.ofRun('r1');
    for (const step of steps.filter(({ index }) => indexes.includes(index))) {
      await store.atomically((tables) => tellStep(tables, run, spec, step, 0));
      await store.steps.update('r1', {
        ...step,
        state: 'succeeded',
        attempts: 1,
        startedAt: 0,
        finishedAt: 3000,
      });
      // The answer of the database was lost, and the same is done again.
      await store.atomically((tables) => tellStep(tables, run, spec, step, 0));
    }
  };
  await stepsOf(0, 1);
  assert.equal((await store.outbox.ofRun('r1')).length, 2);
  // It arrives, and the answer does not; meanwhile another step has ended.
  slack.troubles.push('lost');
  assert.equal(isRetryable(await failureOf(next())), true);
  await stepsOf(2);
  await next();
  assert.deepEqual(told(), ['*Build* succeeded in 3.0s\n*Ship &lt;b&gt;* succeeded in 3.0s']);
  await next();
  assert.deepEqual(told().slice(1), ['*Check* succeeded in 3.0s']);
  // It failed after all.
  await runSteps({ first: 3 });
  for (const callback of await become('failed', 'running')) await queue(callback);
  await next();
  await next();
  assert.deepEqual(told().slice(2), ['*Clean* failed in 3.0s: exited with 1']);
  assert.equal(await next(), undefined);
});

test('without a message while it runs, its steps are told when the run has ended', async (t) => {
  const { slack, store, spec, become, send, runSteps } = await world(t, {
    steps: true,
    on: ['failed'],
  });
  const run = await store.runs.get('r1');
  assert.ok(run);
  assert.deepEqual(callbacksForStep({ run, spec, step: (await store.steps.ofRun('r1'))[0]! }), []);
  await runSteps();
  const [message, thread] = await become('failed', 'running');
  await send(message);
  await send(thread);
  assert.deepEqual(
    slack.messages.slice(1).map(({ text }) => text),
    ['*Build* succeeded in 3.0s\n*Ship &lt;b&gt;* failed in 3.0s: exited with 1'],
  );
});

test('Slack’s refusals are asked about again when it says, but not what it takes for no message', async (t) => {
  const { slack, become, send } = await world(t);
  const [queued] = await become('queued', undefined);
  slack.troubles.push({ status: 429, headers: { 'retry-after': '30' } });
  const busy = await failureOf(send(queued));
  assert.ok(busy instanceof RetryableError);
  assert.equal(busy.retryAfterMs, 30_000);
  slack.troubles.push({ status: 200, body: { ok: false, error: 'not_in_channel' } });
  const outside = await failureOf(send(queued));
  assert.deepEqual([outside.code, isRetryable(outside)], ['slack-refused', true]);
  slack.troubles.push({ status: 200, body: { ok: false, error: 'invalid_blocks' } });
  const invalid = await failureOf(send(queued));
  assert.deepEqual([invalid.code, isRetryable(invalid)], ['slack-invalid', false]);
});

test('the token follows no redirect and is in no error or row', async (t) => {
  const { slack, become, send } = await world(t, { token: 'xoxb-wrong' });
  const callbacks = await become('queued', undefined);
  slack.troubles.push({ status: 307, headers: { location: 'https://evil.example/' } });
  const redirected = await failureOf(send(callbacks[0]));
  const refused = await failureOf(send(callbacks[0]));
  assert.match(redirected.message, /Slack answered 307/);
  assert.match(refused.message, /invalid_auth/);
  assert.deepEqual(slack.calls, ['chat.postMessage', 'chat.postMessage']);
  assert.doesNotMatch(inspect([redirected, refused, callbacks], { depth: 20 }), /xoxb/);

  const torn = await world(t, { token: 'xoxb-in\ntwo lines' });
  const [queued] = await torn.become('queued', undefined);
  const error = await failureOf(torn.send(queued));
  assert.deepEqual([error.code, isRetryable(error)], ['webhook-header', true]);
  assert.doesNotMatch(inspect(error, { depth: 20 }), /xoxb|two lines/);
});

/** What each button of a message asks for, and what its dialog says. */
function buttonsOf({ blocks }: { blocks: unknown[] } = { blocks: [] }) {
  const { elements = [] } = (blocks as { elements?: Record<string, unknown>[] }[]).at(-1) ?? {};
  return elements.map(({ action_id, value, style, confirm }) => {
    const { text } = (confirm as { text: { text: string } } | undefined) ?? {};
    return [action_id, value, style, text?.text].filter(Boolean).join(' ');
  });
}

test('a message has the buttons that its run has, and asks once more before those that take something back', async (t) => {
  const gates: DeploymentSpec['gates'] = [
    { kind: 'approve', from: [], count: 1, notAuthor: false, timeoutMs: undefined },
  ];
  const { slack, become, send } = await world(t, { buttons: 'slack-buttons', gates });
  const shown = async (...change: Parameters<typeof become>) => {
    await send((await become(...change))[0]);
    return buttonsOf(slack.messages[0]);
  };
  assert.deepEqual(await shown('blocked', undefined), [
    'mainsheet-approve r1:0 primary',
    'mainsheet-reject r1:0 danger storefront in production: Cancel this run',
  ]);
  assert.deepEqual(await shown('running', 'queued'), [
    'mainsheet-cancel r1:0 danger storefront in production: Stop this run',
  ]);
  assert.deepEqual(await shown('succeeded', 'running'), [
    'mainsheet-retry r1:0',
    'mainsheet-rollback r1:0 danger storefront in production: Deploy 0000000, which was there before',
  ]);
});

test('without a hook for them a message has no buttons', async (t) => {
  const { slack, become, send } = await world(t);
  await send((await become('succeeded', undefined))[0]);
  assert.doesNotMatch(JSON.stringify(slack.messages), /mainsheet-retry|"actions"/);
});

test('who pressed in vain is answered at Slack’s URL alone, and no URL is in a row', async (t) => {
  const { slack, store, send } = await world(t);
  const reply = { kind: 'slack-reply', delivery: 'b.1', text: 'no <!here> button' } as const;
  const delivery = { id: 'b.1', event: 'hook:b', action: undefined, repository: undefined };
  const url = 'https://hooks.slack.com/actions/T1/1/abc';
  const callback = JSON.stringify({ url });
  await store.accept({ ...delivery, payload: '{}', receivedAt: 0, callback });
  await send(reply);
  assert.partialDeepStrictEqual(slack.replies, [
    { response_type: 'ephemeral', replace_original: false, text: 'no &lt;!here&gt; button' },
  ]);
  const busy = { status: 429, headers: { 'retry-after': '30' } };
  slack.troubles.push({ status: 503 }, busy, { status: 404 });
  assert.equal(isRetryable(await failureOf(send(reply))), true);
  const later = await failureOf(send(reply));
  assert.ok(later instanceof RetryableError && later.retryAfterMs === 30_000);
  const expired = await failureOf(send(reply));
  assert.deepEqual([expired.code, isRetryable(expired)], ['slack-expired', false]);
  assert.doesNotMatch(inspect([expired, reply]), /hooks\.slack\.com/);
  const evil = JSON.stringify({ url: 'https://hooks.slack.com.evil.example/x' });
  await store.accept({ ...delivery, id: 'b.2', payload: '{}', receivedAt: 0, callback: evil });
  for (const other of ['b.2', 'b.3']) {
    const failure = await failureOf(send({ ...reply, delivery: other }));
    assert.equal(failure.code, 'slack-no-reply');
  }
  assert.equal(slack.replies.length, 1);
});
