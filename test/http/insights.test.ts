import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Run } from '../../src/model/run.ts';
import { sampleDelivery, sampleRun } from '../store/samples.ts';
import { asAdmin } from '../support/admin.ts';
import { NOW, startHttp, type Fixture } from './fixture.ts';

const HOUR = 3_600_000;
const SHA = 'b'.repeat(40);

/** A push that was committed two hours ago and pushed an hour ago; its run ends now, after a step of 30 s. */
async function fill({ store }: Fixture, more: Partial<Run> = {}): Promise<void> {
  const timestamp = new Date(NOW - 2 * HOUR).toISOString();
  const payload = JSON.stringify({ head_commit: { id: SHA, timestamp } });
  await store.accept(sampleDelivery('d1', { payload, receivedAt: NOW - HOUR }));
  await insert({ store }, 'r1', { delivery: 'd1', ...more });
  const [step] = await store.steps.ofRun('r1');
  assert.ok(step);
  const times = { startedAt: NOW - 40_000, finishedAt: NOW - 10_000 };
  await store.steps.update('r1', { ...step, state: 'succeeded', ...times });
}

async function insert({ store }: Pick<Fixture, 'store'>, id: string, more: Partial<Run>) {
  const times = { createdAt: NOW - 60_000, startedAt: NOW - 50_000, finishedAt: NOW - 1 };
  const run = sampleRun(id, { state: 'succeeded', sha: SHA, ...times, ...more });
  assert.ok(await store.runs.insert(run, ['Build']));
}

interface Answer {
  all: Record<string, unknown> & { deployments: number; pushToLive: { count: number } };
  steps: unknown;
  whole: boolean;
}

async function read(fixture: Fixture, query = ''): Promise<Answer> {
  return (await (await ask(fixture, query)).json()) as Answer;
}

function ask({ url }: Fixture, query = '', headers: Record<string, string> = {}) {
  return asAdmin(`${url}/api/v1/insights${query}`, { headers });
}

test('the metrics come from the runs, their steps and the push that brought the commit', async (t) => {
  const fixture = await startHttp(t);
  await fill(fixture);
  const answer = await read(fixture);
  const once = (seconds: number) => ({ count: 1, p50: seconds, p90: seconds, p99: seconds });
  assert.deepEqual(answer.all['commitToLive'], once(7199.999));
  assert.deepEqual(answer.all.pushToLive, once(3599.999));
  assert.deepEqual(answer.all['queue'], once(10));
  assert.deepEqual(answer.steps, [{ spec: 'storefront', step: 'Build', ...once(30) }]);
  assert.equal(answer.whole, true);
});

test('what was live and what had failed when the range began counts in it', async (t) => {
  const fixture = await startHttp(t);
  const before = { createdAt: NOW - 50 * HOUR, startedAt: NOW - 49 * HOUR };
  await insert(fixture, 'live', { ...before, finishedAt: NOW - 48 * HOUR });
  const failed = { state: 'failed', sha: 'c'.repeat(40) } as const;
  await insert(fixture, 'broken', { ...before, ...failed, finishedAt: NOW - 36 * HOUR });
  await fill(fixture);
  const { all } = await read(fixture, `?from=${new Date(NOW - 24 * HOUR).toISOString()}`);
  const took = 36 * 3600 - 0.001;
  assert.deepEqual(all['timeToRestore'], { count: 1, p50: took, p90: took, p99: took });
  assert.deepEqual([all.deployments, all['commitToLive'], all.pushToLive], [1, null, null]);
});

test('runs that were cancelled or superseded, of a job of Actions, of a preview that is taken down, or not asked for are not counted', async (t) => {
  const fixture = await startHttp(t);
  await insert(fixture, 'r1', { state: 'cancelled' });
  await insert(fixture, 'r2', { state: 'superseded' });
  await insert(fixture, 'r3', { event: 'deployment_protection_rule' });
  await insert(fixture, 'r7', { event: 'teardown' });
  await insert(fixture, 'r4', { spec: 'other' });
  await insert(fixture, 'r5', { environment: 'staging' });
  await insert(fixture, 'r6', { finishedAt: NOW - 40 * 24 * HOUR });
  const count = async (query: string) => (await read(fixture, query)).all.deployments;
  assert.equal(await count('?spec=storefront&environment=production'), 0);
  assert.equal(await count(''), 2);
});

test('what ended in each day is told, with null where nothing did, and as CSV with nothing', async (t) => {
  const fixture = await startHttp(t);
  await fill(fixture);
  const query = '?from=2026-01-01&to=2026-01-03';
  const { bucket, buckets } = (await (await ask(fixture, query)).json()) as {
    bucket: string;
    buckets: Record<string, unknown>[];
  };
  assert.equal(bucket, 'day');
  assert.deepEqual(
    buckets.map(({ from, deployments, changeFailureRate, pushToLive }) => [
      from,
      deployments,
      changeFailureRate,
      pushToLive,
    ]),
    [
      ['2026-01-01T00:00:00.000Z', 0, null, null],
      ['2026-01-02T00:00:00.000Z', 1, 0, { count: 1, p50: 3599.999, p90: 3599.999, p99: 3599.999 }],
    ],
  );
  const csv = async (table: string) =>
    (await (await ask(fixture, `${query}&format=csv&table=${table}`)).text()).split('\r\n');
  const [head = '', first = '', second = ''] = await csv('buckets');
  assert.match(head, /^from,to,deployments,succeeded,failed,changeFailureRate,commitToLive p50,/);
  assert.match(first, /^2026-01-01T00:00:00.000Z,2026-01-02T00:00:00.000Z,0,0,0,,,,,/);
  assert.match(second, /^2026-01-02T00:00:00.000Z,2026-01-03T00:00:00.000Z,1,1,0,0,7199.999,/);
  assert.deepEqual((await csv('steps')).slice(0, 2), [
    'spec,step,count,p50,p90,p99',
    'storefront,Build,1,30,30,30',
  ]);
});

test('a time of a commit that is no time, or of another commit, is not known', async (t) => {
  const fixture = await startHttp(t);
  for (const [id, head] of Object.entries({
    d1: { id: SHA, timestamp: 'soon' },
    d2: { id: 'c', timestamp: new Date(NOW).toISOString() },
    d3: null,
  })) {
    const payload = JSON.stringify({ head_commit: head });
    await fixture.store.accept(sampleDelivery(id, { payload }));
    await insert(fixture, `r of ${id}`, { delivery: id, lane: id });
  }
  const { all } = await read(fixture);
  assert.deepEqual([all['commitToLive'], all.pushToLive.count], [null, 3]);
});

test('the same is CSV when that is accepted or asked for, and no formula', async (t) => {
  const fixture = await startHttp(t);
  await fill(fixture, { environment: '=HYPERLINK("x")' });
  for (const response of [
    await ask(fixture, '?format=csv'),
    await ask(fixture, '', { Accept: 'text/csv' }),
  ]) {
    assert.match(response.headers.get('Content-Type') ?? '', /^text\/csv/);
    const [head = '', row = ''] = (await response.text()).split('\r\n');
    assert.match(head, /^spec,environment,deployments,.*,commitToLive p50,/);
    assert.match(row, /^storefront,"'=HYPERLINK\(""x""\)",1,1,0,/);
  }
});

test('a range that is empty, too long or no range is refused', async (t) => {
  const fixture = await startHttp(t);
  for (const query of ['?from=2026-02-02&to=2026-02-01', '?from=2020-01-01', '?from=yesterday']) {
    assert.equal((await ask(fixture, query)).status, 400, query);
  }
});
