import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sampleRun } from '../../store/samples.ts';
import { NOW, startHttp, type Fixture } from '../fixture.ts';
import { logIn } from './browser.ts';

async function open({ url }: Fixture, path: string) {
  const answer = await fetch(url + path, { headers: { Cookie: await logIn(url) } });
  assert.equal(answer.status, 200);
  return await answer.text();
}

test('the page shows the metrics of the range, a bar for each day, and where the same is as CSV', async (t) => {
  const fixture = await startHttp(t);
  const times = { createdAt: NOW - 9000, startedAt: NOW - 8000, finishedAt: NOW - 1000 };
  for (const [id, state] of [
    ['r1', 'succeeded'],
    ['r2', 'failed'],
  ] as const) {
    const run = sampleRun(id, { ...times, state, environment: '<b>' });
    await fixture.store.runs.insert(run, []);
  }
  const text = await open(fixture, '/insights?days=7');
  assert.match(text, /1 of 2 deployments/);
  assert.match(text, /50 %/);
  assert.match(text, /aria-label="Deployments each day from .*: 1 live, 1 failed or rolled back"/);
  assert.equal(text.match(/<g>/g)?.length, 7);
  assert.match(text, /&lt;b&gt;/);
  const csv = /href="\.\/(api\/v1\/insights\?[^"]*)"/.exec(text)?.[1]?.replaceAll('&amp;', '&');
  assert.match(await open(fixture, `/${csv}`), /^spec,environment,.*\r\nstorefront,/);
});

test('over a year each week has a bar, and without deployments the page says so', async (t) => {
  const fixture = await startHttp(t);
  assert.match(await open(fixture, '/insights?days=365'), /Nothing to tell yet/);
  const run = sampleRun('r1', { state: 'succeeded', finishedAt: NOW - 1000 });
  await fixture.store.runs.insert(run, []);
  const text = await open(fixture, '/insights?days=365');
  assert.match(text, /Deployments each week/);
  assert.equal(text.match(/<g>/g)?.length, 53);
});
