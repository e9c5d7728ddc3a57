import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseSpecs } from '../../src/spec/load.ts';
import { readPathTables } from '../../src/http/read/path-tables.ts';
import { sampleDelivery, sampleRun } from '../store/samples.ts';
import { startHttp } from './fixture.ts';
import { logIn } from './pages/browser.ts';

const HOSTILE = 'web/<img src=x onerror=alert(1)>';
const AFTER = 'a'.repeat(40);

const spec = (name: string, paths: string, repository = 'acme/storefront') =>
  `name: ${name}\nrepository: ${repository}\non: { push: { branches: [main], paths: [${paths}] } }\nsteps: [{ run: x }]\n`;

test('explain and the page of a delivery show each changed file beside its pattern, by the spec that the run had', async (t) => {
  const { store, specs, url } = await startHttp(t);
  const text = spec('web', "'web/**', '!**/*.md'");
  const texts = [spec('web', "'never'"), spec('docs', "'docs/**'"), spec('moved', "'x'", 'acme/s')];
  specs.specs = parseSpecs('all.yaml', texts.join('---\n')).specs;
  const digest = parseSpecs('web.yaml', text).specs[0]?.digest ?? '';
  await store.snapshots.keep({ digest, name: 'web', file: 'web.yaml', text }, 1);
  const run = await store.runs.insert(
    sampleRun('r1', { spec: 'web', delivery: 'd1', specDigest: digest }),
    [],
  );
  assert.ok(run);
  const payload = JSON.stringify({
    ref: 'refs/heads/main',
    before: 'b'.repeat(40),
    after: AFTER,
    repository: { full_name: 'acme/storefront' },
    commits: [{ id: AFTER, added: [HOSTILE], removed: ['web/a.md'], modified: ['other'] }],
    head_commit: { id: AFTER },
  });
  await store.accept(sampleDelivery('d1', { payload }));
  const verdict = {
    matched: true,
    reasons: [{ condition: 'on.push.paths', held: true, detail: 'x' }],
  };
  const unasked = {
    matched: false,
    reasons: [{ condition: 'repository', held: false, detail: '' }],
  };
  await store.inbox.close(
    'd1',
    'processed',
    {
      summary: 's',
      specs: [
        { spec: 'web', verdict, run: 'r1' },
        { spec: 'docs', verdict, run: undefined },
        { spec: 'moved', verdict, run: undefined },
        { spec: 'gone', verdict: unasked, run: undefined },
      ],
    },
    2000,
  );

  const Cookie = await logIn(url);
  const get = (path: string) => fetch(url + path, { headers: { Cookie } });
  const answer = await get('/api/v1/deliveries/d1/explain');
  const { specs: told } = (await answer.json()) as { specs: { spec: string; paths: unknown }[] };
  const common = { condition: 'on.push.paths', files: 3, compared: 3 };
  assert.deepEqual(told.find((one) => one.spec === 'web')?.paths, {
    ...common,
    counting: 1,
    asOf: 'run',
    rows: [
      { path: HOSTILE, by: 'web/**', counts: true },
      { path: 'web/a.md', by: '!**/*.md', counts: false },
      { path: 'other', by: null, counts: false },
    ],
  });
  assert.partialDeepStrictEqual(told.find((one) => one.spec === 'docs')?.paths, {
    ...common,
    counting: 0,
    asOf: 'now',
  });
  assert.equal(told.find((one) => one.spec === 'gone')?.paths, null);

  const page = await (await get('/deliveries/d1')).text();
  assert.match(page, /<details[^>]*><summary[^>]*>.*1 of 3 files count for <code>on\.push\.paths</);
  assert.match(
    page,
    /web\/&lt;img src=x[^<]*<\/th>.*<code>web\/\*\*<.*web\/a\.md<.*!\*\*\/\*\.md</s,
  );
  assert.match(page, /other<\/th>.*none<.*0 of 3 files count.*as the spec is now/s);
  assert.doesNotMatch(page, /<img/);

  const why = await get(`/api/v1/why?repository=acme/storefront&sha=${AFTER}`);
  const { specs: answered } = (await why.json()) as { specs: { spec: string; paths: unknown }[] };
  const docs = told.find((one) => one.spec === 'docs')?.paths;
  assert.deepEqual(answered.find((one) => one.spec === 'docs')?.paths, docs);
  assert.equal(answered.find((one) => one.spec === 'web')?.paths, null, 'its run says more');
  assert.match(
    await (await get(`/why?q=${AFTER}`)).text(),
    /0 of 3 files count.*web\/a\.md<\/th>/s,
  );

  const delivery = (await store.inbox.get('d1'))?.delivery;
  assert.ok(delivery);
  const catalog = { byName: (name: string) => specs.specs.find((one) => one.spec.name === name) };
  const seen = await readPathTables(
    { store, catalog },
    { canSee: (repository) => repository === 'acme/storefront' },
    { delivery, payload, runs: [run] },
  );
  assert.deepEqual(
    [...seen.keys()],
    ['web', 'docs'],
    'a spec that went elsewhere is not seen there',
  );
});

test('of a push whose files git alone knew is said that they are not stored', async (t) => {
  const { store, specs, url } = await startHttp(t);
  specs.specs = parseSpecs('docs.yaml', spec('docs', "'docs/**'")).specs;
  const payload = JSON.stringify({
    ref: 'refs/heads/main',
    before: '0'.repeat(40),
    after: AFTER,
    created: true,
    repository: { full_name: 'acme/storefront' },
    commits: [],
    head_commit: { id: AFTER },
  });
  await store.accept(sampleDelivery('d1', { payload }));
  const reasons = [{ condition: 'on.push.paths', held: false, detail: 'a.md matches none' }];
  const decided = { spec: 'docs', verdict: { matched: false, reasons }, run: undefined };
  await store.inbox.close('d1', 'processed', { summary: 's', specs: [decided] }, 2000);

  const Cookie = await logIn(url);
  for (const path of ['/deliveries/d1', `/why?q=${AFTER}`]) {
    const page = await (await fetch(url + path, { headers: { Cookie } })).text();
    assert.match(
      page,
      /a\.md matches none.*Git alone knew the changed files: they are not stored/s,
    );
  }
  const explained = await fetch(`${url}/api/v1/deliveries/d1/explain`, { headers: { Cookie } });
  assert.partialDeepStrictEqual(await explained.json(), { specs: [{ paths: null }] });
});
