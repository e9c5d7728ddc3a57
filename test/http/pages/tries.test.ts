import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseSpecs } from '../../../src/spec/load.ts';
import { pushPayload } from '../../commands/payloads.ts';
import { sampleDelivery } from '../../store/samples.ts';
import { asAdmin } from '../../support/admin.ts';
import { until } from '../../support/until.ts';
import { NOW, startHttp } from '../fixture.ts';
import { logInAs, peopleWith } from '../people.ts';

const SPEC = `name: storefront
repository: acme/storefront
environment: production
on: { push: { branches: [main] } }
steps: [{ run: make }]
`;

async function start(...given: Parameters<typeof startHttp>) {
  const { store, specs, url, asked } = await startHttp(...given);
  specs.specs = parseSpecs('shop.yaml', SPEC).specs;
  const ask = async (path: string, fields?: Record<string, string>, status = 200) => {
    const headers = { 'Content-Type': 'application/x-www-form-urlencoded' };
    const body = new URLSearchParams(fields).toString();
    const init = fields === undefined ? {} : { method: 'POST', headers, body };
    const answer = await asAdmin(`${url}/specs/storefront/${path}`, init);
    assert.equal(answer.status, status);
    return /<main.*<\/main>/s.exec(await answer.text())?.[0] ?? '';
  };
  return { store, url, ask, asked };
}

test('a ref or a payload is tried: each condition with what it saw, and nothing is stored', async (t) => {
  const { store, ask, asked } = await start(t);
  assert.match(await ask('try'), /What would start storefront\?.*By a ref.*By a payload/s);
  const yes = await ask('try', { event: 'push', ref: 'main', files: 'a\r\nb' });
  assert.match(yes, /This push would start it.*on\.push\.branches.*yes.*main matches/s);
  assert.match(yes, /&quot;modified&quot;: \[\s*&quot;a&quot;,\s*&quot;b&quot;/);
  const no = await ask('try', { event: 'push', ref: '<b>next' });
  assert.match(no, /would not start it.*on\.push\.branches.*>no<.*&lt;b&gt;next/s);
  const other = JSON.stringify({ ...pushPayload({}), repository: { full_name: 'acme/docs' } });
  const elsewhere = await ask('try', { event: 'push', payload: other });
  assert.match(
    elsewhere,
    /start nothing here: it is of acme\/docs, and storefront is for acme\/storefront/,
  );
  const ping = await ask('try', { event: 'fork', payload: '{}' });
  assert.match(ping, /start nothing here: Mainsheet deploys on push/);
  for (const [fields, problem] of [
    [{ event: 'push', ref: '' }, /Name a branch or a tag/],
    [{ event: 'fork', ref: 'main' }, /is no event that a ref is enough for/],
    [{ event: 'push', payload: '[1]' }, /not the JSON of an object/],
    [{ event: '<script>', payload: '{}' }, /“&lt;script&gt;” is no event/],
  ] as const) {
    assert.match(await ask('try', fields), problem);
  }
  await ask('try', { event: 'push', payload: 'x'.repeat(1024 * 1024) }, 413);
  const page = { limit: 9, before: undefined };
  assert.deepEqual([(await store.inbox.list(page)).items, asked], [[], []]);
});

test('a changed spec is compared with what was decided, and stays the spec that it is', async (t) => {
  const { store, ask } = await start(t);
  const payload = JSON.stringify(pushPayload({ branch: 'next' }));
  await store.accept(sampleDelivery('d1', { payload }));
  const verdict = { matched: false, reasons: [] };
  const decided = { spec: 'storefront', verdict, run: undefined };
  await store.inbox.close('d1', 'processed', { summary: '', specs: [decided] }, 1);
  assert.match(await ask('backtest'), /shop\.yaml.*name: storefront/s);
  const compare = (text: string) => ask('backtest', { text, newest: '100' });
  assert.match(await compare(SPEC), /No difference.*1 delivery was looked at, 0 of them deployed/s);
  const changed = await compare(SPEC.replace('[main]', '[next]').replaceAll('\n', '\r\n'));
  assert.match(
    changed,
    /1 difference.*deliveries\/d1".*Would deploy, and did not.*on\.push\.branches/s,
  );
  assert.match(
    await compare('name: <b>'),
    /The spec is not valid.*role="alert"|role="alert".*The spec is not valid/s,
  );
  const wrong = await compare(SPEC.replace('[main]', '[main, {}, <b>]'));
  assert.match(
    wrong.replaceAll(/<\/?span[^>]*>/g, ''),
    /<pre [^>]*>on: { push: { branches: \[main, {}, &lt;b&gt;\] } }\n {31}\^<\/pre>/,
  );
  for (const text of [
    SPEC.replace('storefront', 'other'),
    `${SPEC}---\n${SPEC.replace('storefront', 'x')}`,
  ]) {
    assert.match(await compare(text), /it has to be one spec, and its name storefront/);
  }
  await ask('backtest', { text: 'x'.repeat(1024 * 1024) }, 413);
});

test('a backtest under way says to who has asked how far it has come, and ends when they go', async (t) => {
  const { url, ask } = await start(t, {
    people: peopleWith({ ann: { 'acme/storefront': 'read' } }),
    backtest: async (_specs, _since, signal, more) => {
      more?.progress?.({ deliveries: 1200, from: NOW - 1000, at: NOW - 500 });
      return await new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason as Error));
      });
    },
  });
  const progress = async () =>
    await (await asAdmin(`${url}/specs/storefront/backtest/progress`)).text();
  assert.match(await ask('backtest'), /data-progress="[^"]*specs\/storefront\/backtest\/progress"/);
  assert.equal(await progress(), '');
  const gone = new AbortController();
  const asking = asAdmin(`${url}/specs/storefront/backtest`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({ text: SPEC, newest: '100' }),
    signal: gone.signal,
  });
  await until('it is under way', async () => (await progress()) !== '');
  assert.equal(await progress(), '1,200 deliveries so far, 50 %');
  const Cookie = await logInAs(url, 'ann');
  const other = await fetch(`${url}/specs/storefront/backtest/progress`, { headers: { Cookie } });
  assert.deepEqual([other.status, await other.text()], [200, '']);
  gone.abort();
  await assert.rejects(asking);
  await until('it has ended', async () => (await progress()) === '');
});
