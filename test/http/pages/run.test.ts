import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { sampleRun } from '../../store/samples.ts';
import { startHttp } from '../fixture.ts';
import { nextEvent, readEvents } from '../read-events.ts';
import { logIn, SAME_SITE } from './browser.ts';

const HOSTILE = '<script>alert(1)</script>';

async function setUp(t: TestContext, more: Parameters<typeof sampleRun>[1] = {}) {
  const fixture = await startHttp(t, { sleep: async () => undefined });
  const { store, url } = fixture;
  await store.runs.insert(sampleRun('r1', more), ['Build', 'Deploy']);
  const Cookie = await logIn(url);
  const get = (path: string, headers: Record<string, string> = {}) =>
    fetch(url + path, { redirect: 'manual', headers: { Cookie, ...headers } });
  const post = (path: string) =>
    fetch(url + path, { method: 'POST', redirect: 'manual', headers: { Cookie, ...SAME_SITE } });
  const write = (...texts: string[]) =>
    store.logs.append(
      'r1',
      texts.map((text, seq) => ({ seq, at: 1000, step: 0, stream: 'stdout' as const, text })),
    );
  return { ...fixture, get, post, write };
}

test('a run that is not there has a page that says so', async (t) => {
  const { get } = await setUp(t);
  const answer = await get('/runs/unknown');
  assert.equal(answer.status, 404);
  assert.match(answer.headers.get('Content-Type') ?? '', /^text\/html/);
  assert.match(await answer.text(), /There is no run unknown/);
});

test('what a run, its log and its commit say is shown as text', async (t) => {
  const { get, store, write } = await setUp(t, {
    branch: HOSTILE,
    reason: HOSTILE,
    state: 'failed',
    fault: 'step',
    delivery: 'd1',
    outputs: { [HOSTILE]: HOSTILE },
    startedAt: 1000,
    finishedAt: 2000,
  });
  const commit = { id: 'a'.repeat(40), message: `${HOSTILE}\n`, author: { username: HOSTILE } };
  await store.accept({
    id: 'd1',
    event: 'push',
    action: undefined,
    repository: 'acme/storefront',
    payload: JSON.stringify({ head_commit: commit }),
    receivedAt: 1000,
  });
  await write(`${HOSTILE}\n::group::${HOSTILE}\n${HOSTILE}\n`);
  for (const path of [
    '/',
    '/runs/r1',
    '/runs/r1/log/1',
    '/runs/r1/log?q=alert',
    '/runs/r1/retry',
  ]) {
    const text = await (await get(path)).text();
    assert.doesNotMatch(text, /<script>/, path);
    if (['/runs/r1', '/runs/r1/log/1'].includes(path))
      assert.match(text, /&lt;script&gt;alert\(1\)/, path);
  }
});

test('each action is asked about with the name of the environment, and is done as who is logged in', async (t) => {
  for (const [state, action] of [
    ['running', 'cancel'],
    ['failed', 'retry'],
    ['succeeded', 'rollback'],
  ] as const) {
    const { get, post, asked } = await setUp(t, { state, startedAt: 1000 });
    const question = await (await get(`/runs/r1/${action}`)).text();
    assert.match(question, /<button class="button[^"]*">[^<]+production<\/button>/);
    assert.deepEqual(asked, []);
    const done = await post(`/runs/r1/${action}`);
    assert.equal(done.status, 303);
    assert.match(done.headers.get('Location') ?? '', /\/runs\/r1$/);
    assert.deepEqual(asked, [`${action} r1 as admin`]);
  }
});

test('a run that waits at a gate says for whom, and is answered with a reason', async (t) => {
  const gate = {
    kind: 'approve',
    from: ['alice'],
    count: 1,
    notAuthor: false,
    timeoutMs: 1,
  } as never;
  const view = { gate, isOpen: false, detail: `waits for ${HOSTILE}`, answers: [] };
  const { url, store, asked } = await startHttp(t, { gates: { view: async () => [view] } });
  await store.runs.insert(sampleRun('r1', { state: 'blocked' }), ['Build']);
  const Cookie = await logIn(url);
  const page = await (await fetch(`${url}/runs/r1`, { headers: { Cookie } })).text();
  assert.match(page, /waits for &lt;script&gt;/);
  assert.match(page, /href="[^"]*\/runs\/r1\/approve"/);
  for (const action of ['approve', 'reject']) {
    const done = await fetch(`${url}/runs/r1/${action}`, {
      method: 'POST',
      redirect: 'manual',
      headers: { Cookie, ...SAME_SITE },
      body: new URLSearchParams({ reason: 'because' }),
    });
    assert.equal(done.status, 303);
  }
  assert.deepEqual(
    asked.map((one) => one.replace(/ as .*:/, ':')),
    ['approve r1: because', 'reject r1: because'],
  );
});

test('the step that waits for people is open, with what it is about to do', async (t) => {
  const { get, store } = await setUp(t, { state: 'blocked', startedAt: 1000 });
  const [build, deploy] = await store.steps.ofRun('r1');
  assert.ok(build && deploy);
  const times = { attempts: 1, startedAt: 1000, finishedAt: 2000 };
  await store.steps.update('r1', { ...build, ...times, state: 'succeeded' });
  await store.steps.update('r1', { ...deploy, attempts: 1 });
  await store.logs.append('r1', [
    { seq: 0, at: 1000, step: 1, stream: 'stdout', text: '\u001b[32m+\u001b[0m a bucket\n' },
  ]);
  const page = await (await get('/runs/r1')).text();
  assert.deepEqual(
    [...page.matchAll(/data-step="(\d+)" open/g)].map(([, number]) => number),
    ['2'],
  );
  assert.match(page, /\+<\/span> a bucket/);
});

test('a rollback asks why, and its page says what keeps the lane as it is', async (t) => {
  const { url, store, asked, get } = await setUp(t, {
    state: 'succeeded',
    sha: 'a'.repeat(40),
    lane: 'main',
  });
  const later = { state: 'succeeded', sha: 'b'.repeat(40), lane: 'main', delivery: 'd2' } as const;
  await store.runs.insert(sampleRun('r2', later), ['Build']);
  assert.match(await (await get('/runs/r2/rollback')).text(), /name="reason"/);
  const done = await fetch(`${url}/runs/r2/rollback`, {
    method: 'POST',
    redirect: 'manual',
    headers: { Cookie: await logIn(url), ...SAME_SITE },
    body: new URLSearchParams({ reason: ' it is slow ' }),
  });
  assert.equal(done.status, 303);
  assert.deepEqual(asked, ['rollback r2 as admin: it is slow']);

  const reason = `rolled back to aaaaaaa: ${HOSTILE}`;
  await store.pauses.add({ kind: 'lane', name: 'main', since: 1, by: 'ines', reason }, 'r1');
  const page = await (await get('/runs/r1')).text();
  assert.match(page, /ines<\/span>.*with the lane main: rolled back to aaaaaaa: &lt;script&gt;/);
  assert.match(page, /href="[^"]*\/lanes\/main\/resume"/);
});

test('what cannot be done is answered with why', async (t) => {
  const { get, post } = await setUp(t);
  assert.equal((await get('/runs/unknown/cancel')).status, 404);
  const answer = await post('/runs/unknown/cancel');
  assert.equal(answer.status, 404);
  assert.match(await answer.text(), /There is no run unknown/);
});

test('a log is found by what people see of it', async (t) => {
  const { get, write } = await setUp(t);
  await write('first\n', '\u001B[31mERR\u001B[0mOR: no such file\n');
  const text = await (await get('/runs/r1/log?q=error%3A+no', { 'HX-Request': 'true' })).text();
  assert.match(text, /href="\.\.\/\.\.\/runs\/r1#1\.2"/);
  assert.match(text, /<mark>ERROR: no<\/mark> such file/);
  assert.doesNotMatch(text, /<html/);
});

test('a live page hears how long the log is, and that something has changed', async (t) => {
  const { get, store, news, write } = await setUp(t, { state: 'running', startedAt: 1000 });
  await write('one\n', 'two\n');
  const events = readEvents(await get('/live?run=r1'));
  assert.partialDeepStrictEqual(await nextEvent(events), { event: 'log', data: [[0, 2]] });
  news.publish({ kind: 'step', run: 'another', step: 0, state: 'running' });
  await store.logs.append('r1', [{ seq: 2, at: 1, step: 1, stream: 'stdout', text: 'three\n' }]);
  news.publish({ kind: 'log', run: 'r1' });
  const grown = {
    event: 'log',
    data: [
      [0, 2],
      [1, 1],
    ],
  };
  assert.partialDeepStrictEqual(await nextEvent(events), grown);
  news.publish({ kind: 'run', run: 'r1', state: 'succeeded', spec: 'storefront' });
  assert.equal((await nextEvent(events)).event, 'changed');
  await events.return(undefined);
});

test('what happened between a page and its stream is told as soon as the stream is there', async (t) => {
  const { get, news } = await setUp(t, { state: 'running', startedAt: 1000 });
  const page = await (await get('/runs/r1')).text();
  const [, seen = ''] = /data-seen="(\d+)"/.exec(page) ?? [];
  news.publish({ kind: 'run', run: 'r1', state: 'succeeded', spec: 'storefront' });
  const events = readEvents(await get(`/live?run=r1&seen=${seen}`));
  assert.equal((await nextEvent(events)).event, 'log');
  assert.equal((await nextEvent(events)).event, 'changed');
  await events.return(undefined);
});

test('of a run that is not there nothing is heard', async (t) => {
  const { get } = await setUp(t);
  assert.equal((await get('/live?run=unknown')).status, 404);
});
