import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Run } from '../../src/model/run.ts';
import type { LogChunk } from '../../src/store/logs.ts';
import { sampleRun } from '../store/samples.ts';
import { startHttp, type Fixture } from './fixture.ts';
import { nextEvent, readEvents } from './read-events.ts';
import { asAdmin } from '../support/admin.ts';

const LIVE = { Accept: 'text/event-stream' };

const chunk = (seq: number, text: string): LogChunk => ({
  seq,
  at: Date.UTC(2026, 0, 1, 0, 0, seq),
  step: 0,
  stream: seq % 2 === 0 ? 'stdout' : 'stderr',
  text,
});

async function insert({ store }: Fixture, state: Run['state']): Promise<Run> {
  const run = await store.runs.insert(sampleRun('r1', { state }), []);
  assert.ok(run);
  return run;
}

test('a log is text, its pieces put together as they are', async (t) => {
  const fixture = await startHttp(t);
  await insert(fixture, 'running');
  const pieces = [chunk(0, 'one\ntw'), chunk(1, 'o ☃\n\n'), chunk(2, 'no end of line')];
  await fixture.store.logs.append('r1', pieces);
  for (const headers of [{}, { Accept: '*/*' }, { Accept: 'text/plain' }]) {
    const response = await asAdmin(`${fixture.url}/api/v1/runs/r1/log`, { headers });
    assert.equal(response.headers.get('Content-Type'), 'text/plain; charset=utf-8');
    assert.equal(await response.text(), 'one\ntwo ☃\n\nno end of line');
  }
});

test('a log of thousands of pieces comes whole', async (t) => {
  const fixture = await startHttp(t);
  await insert(fixture, 'succeeded');
  const pieces = Array.from({ length: 1001 }, (_, seq) => chunk(seq, `${seq}\n`));
  await fixture.store.logs.append('r1', pieces);
  const response = await asAdmin(`${fixture.url}/api/v1/runs/r1/log`);
  assert.equal(await response.text(), pieces.map(({ text }) => text).join(''));
});

test('an empty log is empty', async (t) => {
  const fixture = await startHttp(t);
  await insert(fixture, 'queued');
  const response = await asAdmin(`${fixture.url}/api/v1/runs/r1/log`);
  assert.deepEqual([response.status, await response.text()], [200, '']);
});

test('with timestamps each line has the time at which it began', async (t) => {
  const fixture = await startHttp(t);
  await insert(fixture, 'running');
  const pieces = [chunk(0, 'one\ntw'), chunk(1, 'o\n'), chunk(2, '\nthree')];
  await fixture.store.logs.append('r1', pieces);
  const response = await asAdmin(`${fixture.url}/api/v1/runs/r1/log?timestamps=true`);
  assert.deepEqual((await response.text()).split('\n'), [
    '2026-01-01T00:00:00.000Z one',
    '2026-01-01T00:00:00.000Z two',
    '2026-01-01T00:00:02.000Z ',
    '2026-01-01T00:00:02.000Z three',
  ]);
});

test('a live log tells what was there, what comes, and how it ended', async (t) => {
  const fixture = await startHttp(t);
  const { store, news } = fixture;
  const run = await insert(fixture, 'running');
  await store.logs.append('r1', [chunk(0, 'first\n')]);
  const response = await asAdmin(`${fixture.url}/api/v1/runs/r1/log`, { headers: LIVE });
  assert.equal(response.status, 200);
  assert.match(response.headers.get('Content-Type') ?? '', /^text\/event-stream/);
  assert.equal(response.headers.get('Cache-Control'), 'no-store');
  const events = readEvents(response);
  assert.deepEqual(await nextEvent(events), {
    event: 'log',
    id: '0',
    data: {
      seq: 0,
      at: '2026-01-01T00:00:00.000Z',
      step: 0,
      stream: 'stdout',
      text: 'first\n',
    },
  });

  await store.logs.append('r1', [chunk(1, 'second: {"x"}\n\nid: 7\n')]);
  news.publish({ kind: 'log', run: 'another' });
  news.publish({ kind: 'log', run: 'r1' });
  const second = await nextEvent(events);
  assert.equal(second.id, '1');
  assert.equal(second.data['text'], 'second: {"x"}\n\nid: 7\n');

  await store.logs.append('r1', [chunk(2, 'last')]);
  await store.runs.update({ ...run, state: 'failed' }, { state: 'running' });
  news.publish({ kind: 'run', run: 'r1', state: 'failed', spec: 'storefront' });
  assert.equal((await nextEvent(events)).data['text'], 'last');
  const end = await nextEvent(events);
  assert.deepEqual([end.event, end.data], ['end', { state: 'failed' }]);
  assert.equal((await events.next()).done, true);
});

test('who comes back with the id of the last event misses nothing and hears nothing twice', async (t) => {
  const fixture = await startHttp(t);
  await insert(fixture, 'succeeded');
  await fixture.store.logs.append('r1', [chunk(0, 'a'), chunk(1, 'b'), chunk(2, 'c')]);
  const resume = async (id: string) => {
    const headers = { ...LIVE, 'Last-Event-ID': id };
    const response = await asAdmin(`${fixture.url}/api/v1/runs/r1/log`, { headers });
    const texts: unknown[] = [];
    for await (const { event, data } of readEvents(response)) {
      texts.push(event === 'end' ? data['state'] : data['text']);
    }
    return texts;
  };
  assert.deepEqual(await resume('0'), ['b', 'c', 'succeeded']);
  assert.deepEqual(await resume('2'), ['succeeded']);
  assert.deepEqual(await resume('no number'), ['a', 'b', 'c', 'succeeded']);
  assert.deepEqual(await resume('9'.repeat(400)), ['succeeded']);
});

test('when the client of a live log has gone, nothing listens for it any more', async (t) => {
  const fixture = await startHttp(t);
  await insert(fixture, 'running');
  let listeners = 0;
  const { subscribe } = fixture.news;
  const left = Promise.withResolvers<void>();
  fixture.news.subscribe = (listener) => {
    listeners += 1;
    const stop = subscribe(listener);
    return () => {
      stop();
      listeners -= 1;
      left.resolve();
    };
  };
  const gone = new AbortController();
  const { signal } = gone;
  const response = await asAdmin(`${fixture.url}/api/v1/runs/r1/log`, { headers: LIVE, signal });
  assert.equal(response.status, 200);
  assert.equal(listeners, 1);
  gone.abort();
  await left.promise;
  assert.equal(listeners, 0);
});

test('there is no log of a run that there is not', async (t) => {
  const { url } = await startHttp(t);
  for (const headers of [{}, LIVE]) {
    const response = await asAdmin(`${url}/api/v1/runs/unknown/log`, { headers });
    assert.equal(response.status, 404);
    assert.equal(((await response.json()) as { code: string }).code, 'run-unknown');
  }
});
