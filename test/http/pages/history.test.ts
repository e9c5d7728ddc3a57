import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseSpecs } from '../../../src/spec/load.ts';
import { sampleDelivery, sampleRun } from '../../store/samples.ts';
import { asAdmin } from '../../support/admin.ts';
import { startHttp } from '../fixture.ts';

const SPEC = `name: storefront
repository: acme/storefront
environment: production
concurrency: { lane: main }
on: { push: {} }
steps: [{ run: make }]
`;
const at = (text: string) => Date.parse(`2026-01-${text}:00.000Z`);
const HISTORY = '/specs/storefront/history';

/** Three revisions, the last of which brought the first one back, and a run that failed. */
async function start(t: Parameters<typeof startHttp>[0]) {
  const fixture = await startHttp(t);
  const { store, specs, url } = fixture;
  specs.specs = parseSpecs('all.yaml', SPEC).specs;
  const message = '<b>Open</b> the shop\n\nmore';
  const head = { id: 'a'.repeat(40), message, author: { username: 'ines' } };
  await store.accept(sampleDelivery('d1', { payload: JSON.stringify({ head_commit: head }) }));
  const ran = async (id: string, letter: string, time: string, more = {}) => {
    const when = { createdAt: at(time), finishedAt: at(time) };
    const run = sampleRun(id, { state: 'succeeded', sha: letter.repeat(40), ...when, ...more });
    await store.runs.insert(run, []);
  };
  await ran('r1', 'a', '01T10:00', { delivery: 'd1' });
  await ran('r2', 'b', '01T23:59');
  await ran('broken', 'c', '02T01:00', { state: 'failed' });
  await ran('r3', 'a', '02T02:00', { delivery: 'd1', cause: 'rollback' });
  await store.runs.setAskedBy('r3', 'samir');
  const detail = 'made run r3: Rollback to aaaaaaa: the cart is <i>empty</i> (run r1)';
  const row = { actor: 'samir', action: 'run.rollback', subject: 'r2', detail };
  await store.audit.record({ at: at('02T02:00'), ...row });
  return async (path: string) => {
    const answer = await asAdmin(url + path);
    const text = await answer.text();
    return { status: answer.status, text, main: /<main.*<\/main>/s.exec(text)?.[0] ?? '' };
  };
}

test('each revision has who and what brought it, why it was brought back, and for how long it was there', async (t) => {
  const get = await start(t);
  const { status, main } = await get(HISTORY);
  assert.equal(status, 200);
  const rows = [...main.matchAll(/<li class="run-row">.*?<\/li>/gs)].map(([row]) => row);
  assert.equal(rows.length, 3);
  assert.match(rows[0] ?? '', /runs\/r3".*Rollback by samir.*the cart is &lt;i&gt;empty.*Live/s);
  assert.match(rows[1] ?? '', /runs\/r2".*for 2 h 01 m/s);
  assert.match(rows[2] ?? '', /&lt;b&gt;Open&lt;\/b&gt; the shop.*Push by ines.*for 13 h 59 m/s);
  assert.equal((await get('/specs/unknown/history')).status, 404);
});

test('a day tells what was there as it began and ended, and what came in it', async (t) => {
  const get = await start(t);
  const onDay = async (day: string) => {
    const { main } = await get(`${HISTORY}?day=${day}`);
    const part = /aria-label="On that day".*?<\/section>/s.exec(main)?.[0];
    return part?.replaceAll(/<svg.*?<\/svg>|<[^>]*>/gs, ' ').replaceAll(/\s+/g, ' ');
  };
  assert.match(
    (await onDay('2026-01-01')) ?? '',
    /Thursday, 1 January 2026 UTC As it began Nothing that is still known As it ended bbbbbbb Push Changes 23:59 bbbbbbb Push 10:00 aaaaaaa/,
  );
  assert.match(
    (await onDay('2026-01-02')) ?? '',
    /As it began bbbbbbb Push Now aaaaaaa .* Changes 02:00 aaaaaaa .*Rollback by samir: the cart is/,
  );
  for (const day of ['2026-02-30', 'yesterday', '<b>']) {
    const { status, main } = await get(`${HISTORY}?day=${encodeURIComponent(day)}`);
    assert.equal(status, 200);
    assert.match(main, /is no day\. Write it as 2026-11-29/);
    assert.doesNotMatch(main, /<b>/);
  }
});

test('two revisions are compared in their order, with all runs between them and the server’s own comparison', async (t) => {
  const get = await start(t);
  for (const [from, to] of [
    ['r1', 'r2'],
    ['r2', 'r1'],
  ]) {
    const { main } = await get(`${HISTORY}?from=${from}&to=${to}`);
    const part = /id="comparison".*?<\/section>/s.exec(main)?.[0] ?? '';
    assert.match(part, /github\.com\/acme\/storefront\/compare\/a{40}\.\.\.b{40}"/);
    assert.match(part, /1 run after the first/);
  }
  const back = /id="comparison".*?<\/section>/s.exec(
    (await get(`${HISTORY}?from=r1&to=r3`)).main,
  )?.[0];
  assert.match(back ?? '', /it is the same commit.*3 runs after.*runs\/broken/s);
  for (const to of ['r1', 'broken', 'unknown']) {
    assert.match((await get(`${HISTORY}?from=r1&to=${to}`)).main, /Choose two different revisions/);
  }
});

test('the API has the same', async (t) => {
  const get = await start(t);
  const ask = async (query: string) =>
    JSON.parse((await get(`/api/v1/environments/storefront/history${query}`)).text) as object;
  assert.partialDeepStrictEqual(await ask('?at=2026-01-02&from=r1&to=r2&limit=1'), {
    spec: 'storefront',
    lane: 'main',
    items: [{ run: 'r3', by: 'samir', reason: 'the cart is <i>empty</i>', until: null }],
    period: { begin: { run: 'r2' }, end: { run: 'r3' }, changes: [{ run: 'r3' }] },
    comparison: { older: { run: 'r1' }, newer: { run: 'r2' }, runs: [{ id: 'r2' }] },
  });
  assert.partialDeepStrictEqual(await ask('?at=2026-01-02T02:59:00%2B01:00'), {
    period: { begin: { run: 'r2' }, end: { run: 'r2' }, changes: [] },
    comparison: null,
  });
  assert.partialDeepStrictEqual(await ask('?lane=other'), { items: [], period: null });
});

test('“Older” leads to what is older, in each list of runs', async (t) => {
  const { store, specs, url } = await startHttp(t);
  specs.specs = parseSpecs('all.yaml', SPEC).specs;
  for (let index = 0; index <= 50; index += 1) {
    const ended = { state: 'succeeded', lane: 'main', finishedAt: at('01T10:00') } as const;
    await store.runs.insert(sampleRun(`r${index}`, { ...ended, spec: 'storefront' }), []);
  }
  for (const path of ['/runs', '/specs/storefront', HISTORY]) {
    const newest = await (await asAdmin(url + path)).text();
    assert.doesNotMatch(newest, /runs\/r0"/, path);
    const [, href = ''] = /href="([^"]*)">Older</.exec(newest) ?? [];
    const older = await asAdmin(new URL(href.replaceAll('&amp;', '&'), url + path).href);
    assert.match(await older.text(), /runs\/r0"/, path);
  }
});
