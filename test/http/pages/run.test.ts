import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { parseSpecs } from '../../../src/spec/load.ts';
import { sampleDelivery, sampleRun, sampleStatus } from '../../store/samples.ts';
import { startHttp } from '../fixture.ts';
import { until } from '../../support/until.ts';
import { nextEvent, readEvents } from '../read-events.ts';
import { logIn, SAME_SITE } from './browser.ts';

/** For text, for attributes and for a terminal. */
const HOSTILE =
  '<script>alert(1)</script>"\'><img src=x onerror=alert(2)>\u001B]8;;javascript:alert(3)\u0007link\u001B]8;;\u0007';

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

test('what a run, its log, its commit and people say is shown as text on each page that says it', async (t) => {
  const done = { startedAt: 1000, finishedAt: 2000, delivery: 'd1', branch: HOSTILE } as const;
  const { get, store, specs, write } = await setUp(t, {
    ...done,
    reason: HOSTILE,
    state: 'failed',
    fault: 'step',
    outputs: { [HOSTILE]: HOSTILE },
  });
  specs.specs = parseSpecs(
    'all.yaml',
    'name: storefront\nrepository: acme/storefront\nenvironment: production\nconcurrency: { lane: main }\non: { push: {} }\nsteps: [{ run: make }]\n',
  ).specs;
  specs.problems = [{ file: 'x.yaml', line: 1, column: 1, message: HOSTILE, excerpt: HOSTILE }];
  const commit = { id: 'a'.repeat(40), message: `${HOSTILE}\n`, author: { username: HOSTILE } };
  const payload = JSON.stringify({ ref: HOSTILE, head_commit: commit });
  await store.accept(
    sampleDelivery('d1', {
      action: HOSTILE,
      payload,
      headers: JSON.stringify({ [HOSTILE]: HOSTILE }),
    }),
  );
  const reasons = [{ condition: HOSTILE, held: true, detail: HOSTILE }];
  const decided = { spec: 'storefront', verdict: { matched: true, reasons }, run: 'r1' };
  await store.inbox.close('d1', 'processed', { summary: HOSTILE, specs: [decided] }, 1);
  const live = sampleRun('r2', { ...done, state: 'succeeded', cause: 'retry', outputs: {} });
  const run = await store.runs.insert(live, ['Build']);
  assert.ok(run);
  await store.environments.record(run, 2000);
  await store.outbox.add('r1', [{ target: HOSTILE, callback: { kind: 'status' } }], 1);
  const [entry] = await store.outbox.ofRun('r1');
  await store.outbox.finish(entry?.id ?? 0, 'dead', 2, HOSTILE);
  await store.pauses.add({ kind: 'lane', name: 'main', since: 1, by: HOSTILE, reason: HOSTILE });
  const told = { at: 1, actor: HOSTILE, action: 'run.retry', subject: 'r1', detail: HOSTILE };
  await store.audit.record({ ...told, origin: HOSTILE });
  await write(`${HOSTILE}\n::group::${HOSTILE}\n${HOSTILE}\n`);

  for (const path of [
    '/',
    '/runs',
    '/runs/r1',
    '/runs/r1/log/1',
    '/runs/r1/log?q=onerror',
    '/deliveries',
    '/deliveries/d1',
    '/specs',
    '/specs/storefront',
    '/specs/storefront/history',
    '/callbacks',
    `/callbacks/${entry?.id}`,
    '/activity',
    '/why?q=aaaaaaa',
  ]) {
    const answer = await get(path);
    const text = await answer.text();
    assert.equal(answer.status, 200, path);
    assert.doesNotMatch(text, /<script>|<img|"(?:'|&#39;)&gt;|&quot;'|href="javascript:/, path);
    assert.match(text, /&lt;script&gt;alert\(1\)/, path);
  }
  // Of a link of a terminal its text alone.
  const log = await (await get('/runs/r1/log/1')).text();
  assert.match(log, /link/);
  assert.doesNotMatch(log, /alert\(3\)|\u001B/);
  const raw = await get('/runs/r1/log.txt');
  assert.match(await raw.text(), /^<script>/);
  assert.equal(raw.headers.get('Content-Type'), 'text/plain; charset=utf-8');
  assert.equal(raw.headers.get('X-Content-Type-Options'), 'nosniff');
  assert.match(
    raw.headers.get('Content-Disposition') ?? '',
    /^attachment; filename="storefront-r1\.log"/,
  );
});

test('the page of a run tells its times, why it was started, what it replaced, what was told and who did what', async (t) => {
  const at = (sequence: number) => ({
    createdAt: sequence * 60_000,
    startedAt: sequence * 60_000,
    finishedAt: sequence * 60_000 + 30_000,
  });
  const { get, store } = await setUp(t, { ...at(1), state: 'succeeded' });
  const sha = 'b'.repeat(40);
  const run = sampleRun('r2', {
    ...at(2),
    sha,
    state: 'failed',
    cause: 'rollback',
    delivery: 'd1',
    outputs: { url: 'https://shop.example' },
  });
  await store.runs.insert(run, ['Build', 'Deploy']);
  await store.runs.insert(
    sampleRun('r3', { ...at(3), state: 'running', finishedAt: undefined, delivery: 'd3' }),
    [],
  );
  await store.accept(sampleDelivery('d1'));
  const reasons = [{ condition: 'on.push.branches', held: true, detail: 'main is main' }];
  const decided = { spec: 'storefront', verdict: { matched: true, reasons }, run: 'r2' };
  await store.inbox.close('d1', 'processed', { summary: '', specs: [decided] }, 1);
  await store.outbox.add('r2', [{ target: 't', callback: sampleStatus('failure') }], 1);
  const [entry] = await store.outbox.ofRun('r2');
  await store.outbox.finish(entry?.id ?? 0, 'dead', 2, 'GitHub answered 403');
  const url = 'https://github.example/acme/deployments/7';
  for (const answer of [
    { status: 201, id: '7', url },
    { status: 204, url: 'javascript:alert(1)' },
  ]) {
    await store.outbox.add('r2', [{ target: 't', callback: sampleStatus('success') }], 1);
    const sent = (await store.outbox.ofRun('r2')).at(-1);
    await store.outbox.finish(sent?.id ?? 0, 'sent', 2, undefined, undefined, answer);
  }
  const made = 'made run r2: Rollback to bbbbbbb: the cart is empty (run r0)';
  await store.audit.record({
    at: 120_000,
    actor: 'samir',
    action: 'run.rollback',
    subject: 'r1',
    detail: made,
  });
  await store.audit.record({
    at: 130_000,
    actor: 'ines',
    action: 'run.cancel',
    subject: 'r2',
    detail: 'too slow',
  });

  const page = await (await get('/runs/r2')).text();
  const rows = [...page.matchAll(/<span class="step-name cut(?: muted)?">([^<]*)/g)].map(
    ([, name]) => name,
  );
  assert.deepEqual(rows, ['Waiting', 'Checkout', 'Build', 'Deploy', 'Told 2 of 3']);
  const part = (name: string) =>
    new RegExp(`<h2>${name}</h2>(.*?)</section>`, 's').exec(page)?.[1] ?? '';
  assert.match(part('Revision'), /compare\/a{40}\.\.\.b{40}"/);
  assert.match(
    part('Trigger'),
    /Rollback by .*samir.*deliveries\/d1".*<p class="break">the cart is empty<.*on\.push\.branches.*main is main/s,
  );
  assert.match(part('Outputs'), /url<.*https:\/\/shop\.example/s);
  assert.match(part('Callbacks'), /Commit status.*failure.*GitHub answered 403/s);
  assert.match(
    part('Callbacks'),
    /Answered 201 · <a [^>]*href="https:\/\/github\.example\/acme\/deployments\/7"[^>]*>number 7<.*Answered 204<\/p>/s,
  );
  assert.doesNotMatch(page, /javascript:/);
  assert.match(part('Activity'), /samir<.*rolled back run.*ines<.*cancelled run.*too slow/s);
  assert.match(
    await (await get('/runs/r3')).text(),
    /<time data-since="[^"]*"[^>]*>[^<]*<\/time> of ~30 s/,
  );
});

test('each action is asked about with the name of the environment, and is done as who is logged in', async (t) => {
  for (const [state, action] of [
    ['running', 'cancel'],
    ['failed', 'retry'],
    ['succeeded', 'rollback'],
  ] as const) {
    const { get, post, asked, store } = await setUp(t, { state, startedAt: 1000 });
    const before = {
      sha: 'b'.repeat(40),
      state: 'succeeded',
      delivery: 'd0',
      sequence: 0,
    } as const;
    await store.runs.insert(sampleRun('r0', before), ['Build']);
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
  for (const [id, letter] of [
    ['r3', 'c'],
    ['r4', 'b'],
  ] as const)
    await store.runs.insert(sampleRun(id, { ...later, sha: letter.repeat(40), delivery: id }), [
      'Build',
    ]);
  const live = await store.runs.get('r4');
  assert.ok(live);
  await store.environments.record(live, 1);
  const first = await (await get('/runs/r1/rollback')).text();
  assert.match(first, /There is no earlier revision/);
  assert.doesNotMatch(first, /<button class="button is-danger/);
  const question = await (await get('/runs/r2/rollback')).text();
  assert.match(question, /name="reason".*<button class="button is-danger/s);
  // What is live now, not what is asked about; each revision once.
  assert.match(
    question.replaceAll(/<(?!dt|a )[^>]*>/g, ''),
    /<dt>From\s*bbbbbbb\s*<dt>To\s*aaaaaaa.*<dt>Takes back\s*bbbbbbb\s*ccccccc\s*<a href="[^"]*\/compare\/a{40}\.\.\.b{40}"/s,
  );
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

test('the question of a retry names the newer revision that it takes the place of', async (t) => {
  const { store, get } = await setUp(t, { state: 'failed', sha: 'a'.repeat(40), lane: 'main' });
  const asked = async () => (await (await get('/runs/r1/retry')).text()).replaceAll(/<[^>]*>/g, '');
  assert.doesNotMatch(await asked(), /It is older/);
  const newer = { state: 'running', sha: 'b'.repeat(40), lane: 'main', delivery: 'd2' } as const;
  await store.runs.insert(sampleRun('r2', newer), ['Build']);
  assert.match(await asked(), /It is older than bbbbbbb, which runs now, and takes its place\./);
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

test('a live page hears how long the log is, and that something has or may have changed', async (t) => {
  const { get, store, news, write } = await setUp(t, { state: 'running', startedAt: 1000 });
  await write('one\n', 'two\n');
  const events = readEvents(await get('/live?run=r1'));
  assert.partialDeepStrictEqual(await nextEvent(events), { event: 'log', data: [[0, 2, 1]] });
  // Something may have happened between the page and its stream.
  assert.equal((await nextEvent(events)).event, 'changed');
  news.publish({ kind: 'step', run: 'another', step: 0, state: 'running' });
  await store.logs.append('r1', [{ seq: 2, at: 1, step: 1, stream: 'stdout', text: 'three\n' }]);
  news.publish({ kind: 'log', run: 'r1' });
  const grown = {
    event: 'log',
    data: [
      [0, 2, 1],
      [1, 1, 2],
    ],
  };
  assert.partialDeepStrictEqual(await nextEvent(events), grown);
  news.publish({ kind: 'run', run: 'r1', state: 'succeeded', spec: 'storefront' });
  assert.equal((await nextEvent(events)).event, 'changed');
  await events.return(undefined);
});

test('of a run that is not there nothing is heard', async (t) => {
  const { get } = await setUp(t);
  assert.equal((await get('/live?run=unknown')).status, 404);
});

test('200 pages at once hear of a change, seldom enough that they may ask for themselves, and are forgotten when they have gone', async (t) => {
  const slept: number[] = [];
  const { url, news, store } = await startHttp(t, { sleep: async (ms) => void slept.push(ms) });
  const listeners = new Set<unknown>();
  const { subscribe } = news;
  news.subscribe = (listener) => {
    const stop = subscribe(listener);
    listeners.add(listener);
    return () => {
      stop();
      listeners.delete(listener);
    };
  };
  await store.runs.insert(sampleRun('r1', { state: 'running', startedAt: 1 }), ['Build']);
  const headers = { Cookie: await logIn(url) };
  const gone = new AbortController();
  const { signal } = gone;
  const streams = await Promise.all(
    Array.from({ length: 200 }, async (_, page) => {
      const answer = await fetch(`${url}/live${page % 2 === 0 ? '' : '?run=r1'}`, {
        headers,
        signal,
      });
      return readEvents(answer);
    }),
  );
  const before = listeners.size;
  assert.equal(before, 200);
  const heard = async () => {
    for (const events of streams) {
      let event = '';
      while (event !== 'changed') ({ event } = await nextEvent(events));
    }
  };
  await heard();
  news.publish({ kind: 'run', run: 'r1', state: 'succeeded', spec: 'storefront' });
  await heard();
  assert.equal((await fetch(url, { headers })).status, 200);
  assert.equal(Math.max(...slept), 200 * 25);
  gone.abort();
  await until('all are forgotten', () => listeners.size === 0);
});
