import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readEventStream } from '../../src/lib/read-event-stream.ts';
import { administrator } from '../../src/http/auth/viewer.ts';
import { backtestOperations } from '../../src/http/api/backtest.ts';
import { createRunBacktest } from '../../src/http/read/backtest-turn.ts';
import { sampleDelivery } from '../store/samples.ts';
import { asAdmin } from '../support/admin.ts';
import { NOW, startHttp } from './fixture.ts';

const DONE = { deliveries: 0, deployed: 0, wouldDeploy: 0, differences: [], total: 0 };

test('a backtest tells as an event stream how far it has come, and at the end what the JSON says', async (t) => {
  const { store, url } = await startHttp(t);
  for (let index = 0; index < 250; index += 1) {
    const receivedAt = NOW - 1000 + index;
    await store.accept(sampleDelivery(`d${index}`, { receivedAt }));
    await store.inbox.close(`d${index}`, 'processed', { summary: '', specs: [] }, 1);
  }
  const ask = (accept: string, specs: object[] = []) =>
    asAdmin(`${url}/api/v1/backtest`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Accept: accept },
      body: JSON.stringify({ specs }),
    });
  const answer = await ask('text/event-stream');
  assert.match(answer.headers.get('Content-Type') ?? '', /^text\/event-stream/);
  assert.ok(answer.body);
  const events: { event: string; data: unknown }[] = [];
  for await (const { event, data } of readEventStream(answer.body)) {
    events.push({ event, data: JSON.parse(data) as unknown });
  }
  assert.deepEqual(events[0], { event: 'progress', data: { deliveries: 100, share: 0.099 } });
  const result = await (await ask('*/*')).json();
  assert.deepEqual(events.at(-1), { event: 'result', data: result });
  assert.partialDeepStrictEqual(result, { deliveries: 250 });

  const refused = await ask('text/event-stream', [{ file: 'a.yaml', text: 'name: x' }]);
  assert.equal(refused.status, 422, 'what is refused is no stream');
});

test('a backtest whose asker has hung up ends, and another one has its turn', async () => {
  const run = createRunBacktest(async (_, since, signal) => {
    if (since === 1)
      await new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason as Error));
      });
    return DONE;
  });
  const gone = new AbortController();
  const first = run([], 1, {}, gone.signal);
  await assert.rejects(run([], 0, {}, new AbortController().signal), { code: 'backtest-busy' });
  gone.abort(new Error('hung up'));
  await assert.rejects(first, /hung up/);
  assert.deepEqual(await run([], 0, {}, new AbortController().signal), DONE);
});

test('others have their turn between two files that are read for a backtest', async () => {
  const [operation] = backtestOperations({
    runBacktest: async () => DONE,
    clock: { now: () => NOW, elapsed: () => 0, sleep: async () => undefined },
    stepLimits: {},
    flushed: async () => undefined,
  });
  const specs = ['a.yaml', 'b.yaml'].map((file) => ({ file, text: '- a\n'.repeat(5000) }));
  const request = { viewer: administrator('admin'), body: { specs, days: 30 } };
  const turn = Promise.withResolvers<'others'>();
  setImmediate(() => turn.resolve('others'));
  const read = operation?.serve(request as never).catch((error: { code: string }) => error.code);
  assert.equal(await Promise.race([read, turn.promise]), 'others');
  assert.equal(await read, 'invalid-specs');
});
