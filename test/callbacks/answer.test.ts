import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { Webhook } from 'standardwebhooks';
import { answer, type AnswerTo } from '../../src/callbacks/answer.ts';
import { callbacksFor } from '../../src/callbacks/index.ts';
import { createSender } from '../../src/callbacks/send.ts';
import { createTargets } from '../../src/steps/targets.ts';
import { connect, createTestClock, failureOf } from '../github/support.ts';
import { startStandIn } from '../github/stand-in.ts';
import { sampleLoaded } from '../runs/samples.ts';
import { sampleRun } from '../store/samples.ts';

const KEY = 'key-of-the-answer';
const TO: AnswerTo = { delivery: 'build.1', url: 'http://127.0.0.1/reply', secret: 'REPLY_KEY' };
const RUN = { ...sampleRun('r1', { state: 'succeeded', outputs: { built: '4' } }), sequence: 1 };

function due(state: 'running' | 'succeeded' | 'superseded') {
  const spec = { ...sampleLoaded().spec, feedback: [] };
  const change = { run: { ...RUN, state }, spec, previous: undefined, wasDeployed: false };
  return callbacksFor({ ...change, publicUrl: undefined, answerTo: [TO] });
}

async function send(t: TestContext, url: string, allowed: string[] = []) {
  const clock = createTestClock();
  const { github } = connect('http://127.0.0.1:1', { auth: undefined });
  const fetchAsked = createTargets(allowed).guard(fetch);
  const message = await answer.render(
    { kind: 'answer', to: { ...TO, url }, run: RUN },
    { id: 7, createdAt: 1000 } as never,
    { publicUrl: 'https://mainsheet.example', secret: () => KEY } as never,
  );
  const sending = new AbortController();
  t.after(() => sending.abort());
  const options = { retried: false, ageMs: 0, signal: sending.signal };
  return await createSender({ github, clock, fetchAsked }).send(message, options);
}

test('who asked is told of the end of a run, whatever it is, and of nothing before', () => {
  assert.deepEqual(due('running'), []);
  for (const state of ['succeeded', 'superseded'] as const) {
    assert.deepEqual(
      due(state).map(({ kind }) => kind),
      ['answer'],
    );
  }
});

test('the result arrives signed, with what the run has put out', async (t) => {
  const server = await startStandIn(t, () => ({ status: 200 }), { validate: false });
  await send(t, `${server.url}/reply`, ['127.0.0.0/8']);
  const [request] = server.requests;
  assert.ok(request);
  const headers = Object.fromEntries(
    Object.entries(request.headers).map(([name, value]) => [name, String(value)]),
  );
  new Webhook(Buffer.from(KEY), { format: 'raw' }).verify(request.text, headers);
  const { type, data } = request.body as { type: string; data: object };
  assert.equal(type, 'run.succeeded');
  assert.deepEqual(data, {
    delivery: 'build.1',
    run: 'r1',
    spec: 'storefront',
    state: 'succeeded',
    reason: RUN.reason,
    outputs: { built: '4' },
    url: 'https://mainsheet.example/runs/r1',
  });
});

test('a URL of this machine, or of what only it may ask, is not asked, and not tried again', async (t) => {
  const server = await startStandIn(t, () => ({ status: 200 }), { validate: false });
  for (const url of [
    server.url,
    server.url.replace('127.0.0.1', '[::ffff:7f00:1]'),
    'http://169.254.169.254/latest/meta-data',
    'http://2130706433/',
  ]) {
    const error = await failureOf(send(t, url));
    assert.equal((error as { code?: string }).code, 'closed-address', url);
  }
  assert.deepEqual(server.requests, []);
});
