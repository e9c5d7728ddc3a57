import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LoadedSpec } from '../../src/model/deployment-spec.ts';
import { sampleDelivery, sampleRun, sampleStatus } from '../store/samples.ts';
import { startHttp } from './fixture.ts';
import { asAdmin } from '../support/admin.ts';

const PROBLEM = { file: 'a.yaml', line: 3, column: 5, message: 'unknown key "branchs"' };

async function get(url: string, ask: typeof fetch | typeof asAdmin = asAdmin) {
  const response = await ask(url);
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

test('who may not use the API is told how many problems there are, and not what they say', async (t) => {
  const { url, specs, store } = await startHttp(t);
  Object.assign(specs, { stale: true, problems: [PROBLEM, PROBLEM] });
  const stranger = await get(`${url}/readyz?check=specs`, fetch);
  assert.equal(stranger.status, 503);
  assert.partialDeepStrictEqual(stranger.body['checks'], { specs: { ok: false, count: 2 } });
  assert.doesNotMatch(JSON.stringify(stranger.body), /a\.yaml|branchs/);

  const trusted = await get(`${url}/readyz?check=specs`);
  assert.match(JSON.stringify(trusted.body), /a\.yaml:3:5: unknown key/);

  await store.close();
  const away = await get(`${url}/readyz?check=store`, fetch);
  assert.deepEqual(away.body['checks'], {
    store: { ok: false, detail: 'the database does not answer' },
  });
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

test('a check is made once, however often the query names it', async (t) => {
  const { url, store } = await startHttp(t);
  const ping = t.mock.method(store, 'ping');
  const answer = await get(`${url}/readyz?${'check=store&'.repeat(1000)}check=specs`);
  assert.equal(answer.status, 200);
  assert.deepEqual(answer.body['checks'], { store: { ok: true }, specs: { ok: true } });
  assert.equal(ping.mock.callCount(), 1);
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
  await asAdmin(`${url}/webhooks/v1/github`);
  const response = await asAdmin(`${url}/metrics`);
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
  assert.match(
    await (await asAdmin(`${url}/metrics`)).text(),
    /mainsheet_runs\{state="queued"\} 1/,
  );
  await store.runs.update({ ...run, state: 'running' }, { state: 'queued' });
  const text = await (await asAdmin(`${url}/metrics`)).text();
  assert.doesNotMatch(text, /mainsheet_runs\{state="queued"\}/);
  assert.match(text, /mainsheet_runs\{state="running"\} 1/);
});

test('without the store the metrics say so, and say nothing of what is in it', async (t) => {
  const { url, store } = await startHttp(t);
  const up = await (await asAdmin(`${url}/metrics`)).text();
  assert.match(up, /^mainsheet_store_up 1$/m);
  await store.runs.insert(sampleRun('r1'), []);
  await store.close();
  const response = await asAdmin(`${url}/metrics`);
  assert.equal(response.status, 200);
  const text = await response.text();
  assert.match(text, /^mainsheet_store_up 0$/m);
  assert.match(text, /^process_resident_memory_bytes \d+/m);
  assert.doesNotMatch(text, /^mainsheet_(?:runs|outbox|deliveries_pending)[ {]/m);
});

/** The lines of /metrics that name one of Mainsheet's metrics, without their `# HELP`. */
async function linesOf(url: string, name: string): Promise<string[]> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return text.split('\n').filter((line) => line.startsWith(name));
}

const loaded = (name: string, repository: string) => ({ spec: { name, repository } }) as LoadedSpec;

test('what ends is counted as it happens, by spec, with how long it waited and took', async (t) => {
  const { url, news, ended, specs } = await startHttp(t);
  specs.specs = [loaded('site', 'acme/site')];
  const run = { ...sampleRun('r1'), sequence: 1, spec: 'site', createdAt: 1000 };
  ended.publish({ ...run, state: 'failed', startedAt: 21_000, finishedAt: 96_000 });
  ended.publish({ ...run, state: 'superseded', startedAt: undefined, finishedAt: 5000 });
  ended.publish({ ...run, spec: 'gone', state: 'cancelled', startedAt: undefined, finishedAt: 9 });
  news.publish({ kind: 'callback', entry: 1, run: 'r1', state: 'sent' });
  const lines = await linesOf(url, 'mainsheet_');
  const site = 'spec="site",repository="acme/site"';
  for (const line of [
    `mainsheet_runs_ended_total{state="failed",${site}} 1`,
    `mainsheet_runs_ended_total{state="superseded",${site}} 1`,
    `mainsheet_runs_ended_total{state="succeeded",${site}} 0`,
    'mainsheet_runs_ended_total{state="cancelled",spec="",repository=""} 1',
    `mainsheet_run_queue_seconds_sum{${site}} 20`,
    `mainsheet_run_duration_seconds_sum{${site}} 75`,
    `mainsheet_run_duration_seconds_count{${site}} 1`,
    'mainsheet_callbacks_total{state="sent"} 1',
  ]) {
    assert.ok(lines.includes(line), line);
  }
});

test('ten thousand specs that are loaded again cost the count of runs next to nothing', async (t) => {
  const { ended, specs } = await startHttp(t);
  const many = Array.from({ length: 10_000 }, (_, index) => loaded(`spec-${index}`, 'acme/site'));
  const end = () => ended.publish({ ...sampleRun('r1'), sequence: 1, state: 'succeeded' });
  specs.specs = many;
  end();
  specs.specs = [...many];
  const before = process.threadCpuUsage();
  end();
  const { user } = process.threadCpuUsage(before);
  assert.ok(user < 100_000, `${user} µs of its own`);
});

test('what may raise an alert is there with 0 before anything has happened', async (t) => {
  const { url, specs } = await startHttp(t);
  specs.specs = [loaded('site', 'acme/site')];
  const lines = await linesOf(url, 'mainsheet_');
  for (const line of [
    'mainsheet_runs_ended_total{state="failed",spec="site",repository="acme/site"} 0',
    'mainsheet_runs_ended_total{state="failed",spec="",repository=""} 0',
    'mainsheet_run_duration_seconds_count{spec="site",repository="acme/site"} 0',
    'mainsheet_webhook_rejected_total{code="bad-signature"} 0',
    'mainsheet_webhook_rejected_total{code="not-stored"} 0',
    'mainsheet_deliveries_total{event="push",result="accepted"} 0',
    'mainsheet_callbacks_total{state="dead"} 0',
  ]) {
    assert.ok(lines.includes(line), line);
  }
});

test('however often specs come and go, there are series of those that are loaded and no others', async (t) => {
  const { url, ended, specs, store } = await startHttp(t);
  const deployed = { ...sampleRun('r1'), sequence: 1, startedAt: 2000, finishedAt: 3000 };
  for (let round = 0; round < 50; round += 1) {
    const spec = `spec-${round}`;
    specs.specs = [loaded(spec, 'acme/site'), loaded('stays', 'acme/site')];
    await store.environments.record({ ...deployed, spec }, 7000);
    ended.publish({ ...deployed, spec, state: 'succeeded' });
    ended.publish({ ...deployed, spec: `strange-${round}`, state: 'succeeded' });
    ended.publish({ ...deployed, spec: 'stays', state: 'succeeded' });
  }
  const lines = await linesOf(url, 'mainsheet_');
  const named = new Set(lines.flatMap((line) => /spec="(.*?)"/.exec(line)?.[1] ?? []));
  assert.deepEqual(named, new Set(['', 'spec-49', 'stays']));
  const succeeded = lines.filter((line) => /runs_ended_total.*"succeeded"/.test(line));
  assert.deepEqual(
    succeeded.map((line) => Number(line.split(' ').at(-1))).toSorted((a, b) => a - b),
    [1, 50, 50],
  );
  const success = lines.filter((line) => line.startsWith('mainsheet_last_success'));
  assert.deepEqual(success, [
    'mainsheet_last_success_timestamp_seconds{spec="spec-49",repository="acme/site"} 7',
  ]);

  specs.specs = [loaded('stays', 'acme/moved')];
  const moved = await linesOf(url, 'mainsheet_run_duration_seconds_count');
  assert.deepEqual(moved, [
    'mainsheet_run_duration_seconds_count{spec="",repository=""} 50',
    'mainsheet_run_duration_seconds_count{spec="stays",repository="acme/moved"} 0',
  ]);
});

test('metrics tell what is used and left of the limits of GitHub', async (t) => {
  const { url } = await startHttp(t, {
    budget: () => [
      {
        account: 'acme',
        minute: { used: 7, limit: 80 },
        hour: { used: 510, limit: 500 },
        primaryRemaining: 4321,
        pausedMs: 1500,
        rateLimited: 2,
      },
    ],
  });
  const lines = (await (await asAdmin(`${url}/metrics`)).text()).split('\n');
  for (const line of [
    'mainsheet_github_writes_used{account="acme",window="minute"} 7',
    'mainsheet_github_writes_left{account="acme",window="minute"} 73',
    'mainsheet_github_writes_left{account="acme",window="hour"} 0',
    'mainsheet_github_primary_remaining{account="acme"} 4321',
    'mainsheet_github_paused_seconds{account="acme"} 1.5',
    'mainsheet_github_rate_limited_total{account="acme"} 2',
  ]) {
    // The labels stand in no particular order.
    const sorted = (text: string) => text.split(/[{},]/).sort().join();
    assert.ok(
      lines.some((each) => sorted(each) === sorted(line)),
      line,
    );
  }
});
