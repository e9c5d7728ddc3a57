import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseSpecs } from '../../src/spec/load.ts';
import { sampleLoaded } from '../runs/samples.ts';
import { sampleRun } from '../store/samples.ts';
import { startHttp } from './fixture.ts';

const specOf = (name: string, more = '') =>
  `name: ${name}\nrepository: acme/storefront\non: { push: { branches: [main] } }\n${more}steps:\n  - run: make\n`;

test('a badge shows how the last run is, to everyone, and a client that has it is told so', async (t) => {
  const { url, specs, store, news } = await startHttp(t);
  specs.specs = parseSpecs('a.yaml', specOf('storefront', 'badge: true\n')).specs;
  const lane = specs.specs[0]?.spec.concurrency.lane ?? '';
  const address = `${url}/badge/storefront.svg`;
  assert.match(await (await fetch(address)).text(), />not deployed<\/text>/);

  await store.runs.insert(sampleRun('r1', { lane, state: 'succeeded' }), ['Build']);
  news.publish({ kind: 'run', run: 'r1', spec: 'storefront' } as never);
  const answer = await fetch(address);
  assert.equal(answer.headers.get('Content-Type'), 'image/svg+xml');
  assert.match(answer.headers.get('Cache-Control') ?? '', /max-age=30/);
  assert.match(answer.headers.get('Content-Security-Policy') ?? '', /sandbox/);
  assert.match(await answer.text(), />deployed aaaaaaa<\/text>/);

  await store.runs.insert(sampleRun('r2', { lane, state: 'failed' }), ['Build']);
  news.publish({ kind: 'run', run: 'r2', spec: 'storefront' } as never);
  assert.match(await (await fetch(address)).text(), />failed aaaaaaa<\/text>/);

  await store.runs.insert(sampleRun('r3', { lane, state: 'blocked' }), ['Build']);
  news.publish({ kind: 'run', run: 'r3', spec: 'storefront' } as never);
  assert.match(await (await fetch(address)).text(), />waiting aaaaaaa<\/text>/);

  for (let number = 1; number <= 12; number += 1) {
    const newer = {
      lane,
      sha: 'b'.repeat(40),
      state: 'superseded',
      delivery: `n${number}`,
    } as const;
    await store.runs.insert(sampleRun(`n${number}`, newer), ['Build']);
  }
  news.publish({ kind: 'run', run: 'n12', spec: 'storefront' } as never);
  assert.match(await (await fetch(address)).text(), />waiting aaaaaaa<\/text>/);
});

test('a spec that does not ask for a badge has none, as one that does not exist', async (t) => {
  const { url, specs } = await startHttp(t);
  specs.specs = parseSpecs(
    'a.yaml',
    `${specOf('one')}---\n${specOf('two', 'badge: false\n')}`,
  ).specs;
  const answers = ['one', 'two', 'unknown', '%3Csvg%3E'].map(async (name) => {
    const answer = await fetch(`${url}/badge/${name}.svg`);
    assert.equal(answer.status, 404);
    return await answer.text();
  });
  assert.equal(new Set(await Promise.all(answers)).size, 1);
});

test('what a badge says is escaped and cut', async (t) => {
  const { url, specs } = await startHttp(t);
  const loaded = sampleLoaded();
  const name = `"><script>alert(1)</script>\u0007${'x'.repeat(200)}`;
  specs.specs = [{ ...loaded, spec: { ...loaded.spec, name, badge: true } }];
  const answer = await fetch(`${url}/badge/${encodeURIComponent(name)}.svg`);
  assert.equal(answer.status, 200);
  const text = await answer.text();
  assert.doesNotMatch(text, /<script|\u0007|x{60}/);
  assert.match(text, /&lt;script&gt;/);
});
