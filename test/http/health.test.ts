import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sampleDelivery, sampleRun, sampleStatus } from '../store/samples.ts';
import { startHttp } from './fixture.ts';

const PROBLEM = { file: 'a.yaml', line: 3, column: 5, message: 'unknown key "branchs"' };

async function get(url: string) {
  const response = await fetch(url);
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

test('a process that answers is alive, whatever else is wrong', async (t) => {
  const { url, store, specs } = await startHttp(t);
  specs.stale = true;
  await store.close();
  assert.deepEqual(await get(`${url}/healthz`), { status: 200, body: { status: 'ok' } });
});

test('it is ready when the store answers and the specs are valid', async (t) => {
  const { url } = await startHttp(t);
  assert.deepEqual(await get(`${url}/readyz`), {
    status: 200,
    body: { status: 'ready', checks: { store: { ok: true }, specs: { ok: true } } },
  });
});

test('it is not ready with broken specs, and says what is wrong where; the store alone is', async (t) => {
  const { url, specs } = await startHttp(t);
  Object.assign(specs, { stale: true, problems: [PROBLEM] });
  const answer = await get(`${url}/readyz`);
  assert.equal(answer.status, 503);
  assert.equal(answer.body['status'], 'not ready');
  assert.match(JSON.stringify(answer.body['checks']), /a\.yaml:3:5: unknown key/);
  assert.deepEqual(await get(`${url}/readyz?check=store`), {
    status: 200,
    body: { status: 'ready', checks: { store: { ok: true } } },
  });
  assert.equal((await get(`${url}/readyz?check=specs`)).status, 503);
});

test('it is not ready without its store', async (t) => {
  const { url, store } = await startHttp(t);
  await store.close();
  for (const path of ['/readyz', '/readyz?check=store', '/readyz?check=store&check=specs']) {
    const answer = await get(url + path);
    assert.equal(answer.status, 503);
    assert.partialDeepStrictEqual(answer.body['checks'], { store: { ok: false } });
  }
  assert.equal((await get(`${url}/readyz?check=specs`)).status, 200);
});

test('a check that does not exist is refused and those that do are named', async (t) => {
  const { url } = await startHttp(t);
  for (const check of ['disk', '', '__proto__', 'toString', 'store&check=disk']) {
    const answer = await get(`${url}/readyz?check=${check}`);
    assert.equal(answer.status, 400, check);
    assert.match(String(answer.body['hint']), /store, specs/);
  }
});

test('metrics tell what is in the store and what came in', async (t) => {
  const { url, store } = await startHttp(t);
  await store.accept(sampleDelivery('d1'));
  await store.runs.insert(sampleRun('r1'), []);
  await store.outbox.add('r1', [{ target: 'a', callback: sampleStatus('pending') }], 1);
  await fetch(`${url}/webhooks/v1/github`);
  const response = await fetch(`${url}/metrics`);
  assert.equal(response.status, 200);
  assert.match(response.headers.get('Content-Type') ?? '', /^text\/plain; version=0\.0\.4/);
  const text = await response.text();
  for (const line of [
    'mainsheet_deliveries_pending 1',
    'mainsheet_runs{state="queued"} 1',
    'mainsheet_outbox{state="pending"} 1',
    'mainsheet_webhook_rejected_total{code="method-not-allowed"} 1',
  ]) {
    assert.ok(text.split('\n').includes(line), line);
  }
  assert.match(text, /^process_resident_memory_bytes \d+/m);
});

test('a state that nothing is in any more is gone from the metrics', async (t) => {
  const { url, store } = await startHttp(t);
  const run = await store.runs.insert(sampleRun('r1'), []);
  assert.ok(run);
  assert.match(await (await fetch(`${url}/metrics`)).text(), /mainsheet_runs\{state="queued"\} 1/);
  await store.runs.update({ ...run, state: 'cancelled' }, { state: 'queued' });
  const text = await (await fetch(`${url}/metrics`)).text();
  assert.doesNotMatch(text, /mainsheet_runs\{state="queued"\}/);
  assert.match(text, /mainsheet_runs\{state="cancelled"\} 1/);
});
