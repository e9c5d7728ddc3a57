import assert from 'node:assert/strict';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import type { Context } from 'koa';
import { logText } from '../../../src/http/api/log.ts';
import { createOpenAnswers } from '../../../src/http/auth/open-answers.ts';
import { createRightsChanges } from '../../../src/http/auth/standing.ts';
import type { Viewer } from '../../../src/http/auth/viewer.ts';
import { createBroadcast } from '../../../src/lib/broadcast.ts';
import type { News } from '../../../src/model/news.ts';
import { sampleRun } from '../../store/samples.ts';
import { until } from '../../support/until.ts';
import { startHttp } from '../fixture.ts';
import { logIn, SAME_SITE } from '../pages/browser.ts';
import { logInAs, peopleWith } from '../people.ts';
import { readEvents } from '../read-events.ts';

const STREAMS = [
  ['/api/v1/events', {}],
  ['/live', {}],
  ['/live?run=r1', {}],
  ['/api/v1/runs/r1/log', { Accept: 'text/event-stream' }],
] as const;

test('each stream of a session ends with it: at once where one logs out, within ten seconds where it ends elsewhere or by its age', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  let passed = 0;
  const { url, store } = await startHttp(t, {
    passed: () => passed,
    sleep: async () => undefined,
    people: peopleWith({ alice: { 'acme/storefront': 'read' } }),
  });
  await store.runs.insert(sampleRun('r1', { state: 'running', repository: 'acme/storefront' }), []);
  const logOut = (query: string) => async (Cookie: string) => {
    const headers = { ...SAME_SITE, Cookie };
    await fetch(`${url}/logout${query}`, { method: 'POST', redirect: 'manual', headers });
  };
  const look = () => t.mock.timers.tick(10_000);
  const ends: Record<string, (cookie: string, other: string) => Promise<void>> = {
    'logged out': logOut(''),
    'logged out everywhere': async (_own, other) => await logOut('?everywhere=1')(other),
    async 'ended in another process'() {
      await store.sessions.removeOf({ actor: 'admin', githubId: undefined });
      await store.sessions.removeOf({ actor: 'github:alice', githubId: 1 });
      look();
    },
    async 'too old'() {
      passed += 31 * 86_400_000;
      look();
    },
  };
  for (const [how, end] of Object.entries(ends)) {
    for (const enter of [() => logIn(url), () => logInAs(url, 'alice')]) {
      const [own, other] = [await enter(), await enter()];
      const open = (path: string, headers: object, Cookie: string) =>
        fetch(url + path, { headers: { ...headers, Cookie } });
      const streams = [];
      for (const [path, headers] of STREAMS) streams.push(await open(path, headers, own));
      const kept = new AbortController();
      const others = await fetch(`${url}/live`, {
        headers: { Cookie: await logIn(url) },
        signal: kept.signal,
      });
      assert.equal(others.status, 200);
      await end(own, other);
      for (const stream of streams) {
        assert.equal(stream.status, 200);
        for await (const event of readEvents(stream)) assert.notEqual(event.event, 'end', how);
      }
      kept.abort();
    }
  }
});

test('a session that goes on keeps its streams, however often it is looked at', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const { url, news } = await startHttp(t);
  const first = await logIn(url);
  const events = readEvents(await fetch(`${url}/api/v1/events`, { headers: { Cookie: first } }));
  // Another session's end makes all of them be looked at.
  const headers = { ...SAME_SITE, Cookie: await logIn(url) };
  await fetch(`${url}/logout`, { method: 'POST', redirect: 'manual', headers });
  t.mock.timers.tick(60_000);
  news.publish({ kind: 'access', repository: undefined });
  await fetch(`${url}/healthz`);
  news.publish({ kind: 'log', run: 'r1' });
  assert.equal((await events.next()).value?.event, 'log');
  await events.return(undefined);
});

test('rights that changed while a stream was being opened end it, as those do that change later, and five minutes', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const news = createBroadcast<News>();
  const rights = createRightsChanges(news);
  const ended: string[] = [];
  const change = () => news.publish({ kind: 'access', repository: 'acme/shop' });

  const early = rights.begin();
  change();
  early.follow(() => ended.push('while'))();
  const stop = rights.begin().follow(() => ended.push('stopped'));
  const stopLater = rights.begin().follow(() => ended.push('later'));
  stop();
  change();
  stopLater();
  rights.begin().follow(() => ended.push('old'));
  t.mock.timers.tick(5 * 60_000);
  assert.deepEqual(ended, ['while', 'later', 'old']);
});

test('the text of a log breaks off when its reader may see the run no more, or is logged in no more', async () => {
  const read = async (again: Viewer | undefined, stepMs: number) => {
    let now = 0;
    let asked = 0;
    const standing = {
      enter: () => () => undefined,
      follow: () => () => undefined,
      async again() {
        asked += 1;
        return again;
      },
    };
    const chunk = (seq: number) => ({ seq, at: 0, step: 0, stream: 'stdout' as const, text: 'x' });
    const logs = {
      async read(_run: string, after: number) {
        now += stepMs;
        return after < 9 ? [chunk(after + 1)] : [];
      },
    };
    const ctx = { state: { standing } } as unknown as Context;
    const deps = { store: { logs } as never, clock: { elapsed: () => now } };
    const body = text(logText(ctx, deps, { id: 'r1', repository: 'acme/shop' }, false));
    return { text: await body.catch((error: Error) => error.message), asked };
  };
  const viewer = (sees: boolean) => ({ canSee: () => sees }) as unknown as Viewer;
  const gone = 'who reads the log may see it no more';
  assert.deepEqual(await read(viewer(true), 5000), { text: 'x'.repeat(10), asked: 5 });
  assert.deepEqual(await read(viewer(false), 5000), { text: gone, asked: 1 });
  assert.deepEqual(await read(undefined, 5000), { text: gone, asked: 1 });
  assert.deepEqual(await read(undefined, 900), { text: 'x'.repeat(10), asked: 0 });
});

test('streams and downloads of logs are counted for each person, all people and each administrator, until they end', () => {
  const open = createOpenAnswers();
  const full = { status: 429, code: 'too-many-streams', headers: { 'Retry-After': '30' } };
  const fill = (viewer: { actor: string; visible: string[] | undefined }, count: number) =>
    Array.from({ length: count }, () => open(viewer));
  const person = (at: number) => ({ actor: `github:p${at}`, visible: [] });
  const [leave] = fill(person(0), 50);
  assert.throws(() => open(person(0)), full);
  leave?.();
  leave?.();
  fill(person(0), 1);
  assert.throws(() => open(person(0)), full);
  for (let at = 1; at < 20; at += 1) fill(person(at), 50);
  assert.throws(() => open(person(20)), full);
  const admin = { actor: 'admin', visible: undefined };
  fill(admin, 1000);
  assert.throws(() => open(admin), full);
});

test('a person has fifty streams and no more, whatever they are of; the end of one makes room', async (t) => {
  const people = peopleWith({ alice: { 'acme/storefront': 'read' } });
  const { url, store } = await startHttp(t, { people, sleep: async () => undefined });
  await store.runs.insert(sampleRun('r1', { state: 'running', repository: 'acme/storefront' }), []);
  const Cookie = await logInAs(url, 'alice');
  const gone = new AbortController();
  const ask = (path: string, headers: object = {}) =>
    fetch(url + path, { headers: { ...headers, Cookie }, signal: gone.signal });
  // What is not read to its end leaves, too.
  for (let at = 0; at < 10; at += 1) {
    await fetch(`${url}/runs/r1/log.txt`, { method: 'HEAD', headers: { Cookie } });
  }
  for (let at = 0; at < 50; at += 1) assert.equal((await ask('/api/v1/events')).status, 200);
  for (const [path, headers] of [
    ...STREAMS,
    ['/runs/r1/log.txt', {}],
    ['/api/v1/runs/r1/log', {}],
  ] as const) {
    assert.equal((await ask(path, headers)).status, 429, path);
  }
  assert.equal((await ask('/runs/r1')).status, 200, 'pages are not streams');
  gone.abort();
  const look = async () => (await fetch(`${url}/runs/r1/log.txt`, { headers: { Cookie } })).status;
  await until('room', async () => (await look()) === 200);
});
