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

test('the page shows the metrics of the range, plots with a place for each day, and where the same is as CSV', async (t) => {
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
  assert.match(text, /aria-label="Deployments, each day from .*: 1 live, 1 failed or rolled back"/);
  assert.equal(text.match(/<g>/g)?.length, 7);
  assert.match(text, /&lt;b&gt;/);
  for (const title of ['Change failure rate', 'Lead time, push to live', 'Waiting and running']) {
    assert.match(text, new RegExp(`<h2>${title}</h2>`));
  }
  assert.match(text, /Change failure rate, each day from 27 Dec to 2 Jan: failed 50 %"/);
  const [row = ''] =
    /<tr><th scope="row">storefront<span class="muted"> &lt;b&gt;<\/span><\/th><td class="num">2<\/td><td class="num">1\.0 s.*?<\/tr>/s.exec(
      text,
    ) ?? [];
  assert.deepEqual(row.match(/[\d.]+ s/g), ['1.0 s', '1.0 s', '1.0 s', '7.0 s', '7.0 s', '7.0 s']);
  const links = [...text.matchAll(/href="\.\/(api\/v1\/insights\?[^"]*)"/g)];
  const [byBucket, byGroup, all] = links.map((link) => `/${link[1]?.replaceAll('&amp;', '&')}`);
  assert.match(await open(fixture, byGroup ?? ''), /^spec,environment,.*\r\nstorefront,/);
  assert.equal((await open(fixture, byBucket ?? '')).trim().split('\r\n').length, 1 + 7);
  assert.match(await open(fixture, all ?? ''), /"from":"2025-12-27T00:00:00.000Z"/);
});

test('days in the address are the range, of the page and of what it links to; wrong ones are said to be', async (t) => {
  const fixture = await startHttp(t);
  const run = sampleRun('r1', { state: 'succeeded', finishedAt: Date.parse('2025-12-24T12:00Z') });
  await fixture.store.runs.insert(run, []);
  const text = await open(fixture, '/insights?from=2025-12-23&to=2025-12-24&spec=storefront');
  assert.match(text, /23 Dec 2025 – 24 Dec 2025, by day/);
  assert.match(text, /0 of 1 deployments/);
  assert.match(text, /name="from" value="2025-12-23">/);
  assert.match(text, /spec=storefront&amp;from=2025-12-23T00%3A00%3A00.000Z&amp;to=2025-12-25T00/);
  assert.match(text, /href="\.\/insights\?days=7&amp;spec=storefront">7 days/);
  assert.match(await open(fixture, '/insights?from=2025-12-25'), /Nothing to tell yet/);
  const wrong = await open(fixture, '/insights?from=2025-12-25&to=2025-12-24');
  assert.match(wrong, /The first day is after the last one\./);
  assert.match(await open(fixture, '/insights?from=%3Cb%3E'), /“&lt;b&gt;” is no day/);
});

test('over a year each week has a bar, and without deployments the page says so', async (t) => {
  const fixture = await startHttp(t);
  assert.match(await open(fixture, '/insights?days=365'), /Nothing to tell yet/);
  const run = sampleRun('r1', { state: 'succeeded', finishedAt: NOW - 1000 });
  await fixture.store.runs.insert(run, []);
  const text = await open(fixture, '/insights?days=365');
  assert.match(text, /Deployments, each week/);
  assert.equal(text.match(/<g>/g)?.length, 53);
});
