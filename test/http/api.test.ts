import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Run } from '../../src/model/run.ts';
import { sampleLoaded } from '../runs/samples.ts';
import { sampleDelivery, sampleRun, sampleStatus } from '../store/samples.ts';
import { startHttp, type Fixture } from './fixture.ts';
import { asAdmin } from '../support/admin.ts';

interface Item {
  id: string;
  [key: string]: unknown;
}

async function get<T = Record<string, unknown>>({ url }: Fixture, path: string): Promise<T> {
  const response = await asAdmin(`${url}/api/v1${path}`);
  assert.equal(response.status, 200, path);
  assert.match(response.headers.get('Content-Type') ?? '', /^application\/json/);
  return (await response.json()) as T;
}

async function problemOf(
  { url }: Fixture,
  path: string,
  method = 'GET',
): Promise<[number, string]> {
  const response = await asAdmin(`${url}/api/v1${path}`, { method });
  assert.equal(response.headers.get('Content-Type'), 'application/problem+json');
  return [response.status, ((await response.json()) as { code: string }).code];
}

async function insert({ store }: Fixture, id: string, more: Partial<Run> = {}): Promise<void> {
  assert.ok(await store.runs.insert(sampleRun(id, more), ['Build']));
}

/** All ids of a list, page by page. */
async function idsByPage(fixture: Fixture, path: string): Promise<string[][]> {
  const pages: string[][] = [];
  let next: string | null = '';
  while (next !== null) {
    const cursor: string = next === '' ? '' : `&cursor=${next}`;
    const page: { items: Item[]; next: string | null } = await get(fixture, path + cursor);
    pages.push(page.items.map(({ id }) => id));
    next = page.next;
  }
  return pages;
}

test('lists come in pages, newest first, through an opaque cursor', async (t) => {
  const fixture = await startHttp(t);
  for (const id of ['1', '2', '3', '4', '5']) {
    await fixture.store.accept(sampleDelivery(`d${id}`));
    await insert(fixture, `r${id}`);
    await fixture.store.outbox.add('r1', [{ target: 'a', callback: sampleStatus('pending') }], 1);
  }
  assert.deepEqual(await idsByPage(fixture, '/deliveries?limit=2'), [
    ['d5', 'd4'],
    ['d3', 'd2'],
    ['d1'],
  ]);
  assert.deepEqual(await idsByPage(fixture, '/runs?limit=3'), [
    ['r5', 'r4', 'r3'],
    ['r2', 'r1'],
  ]);
  assert.deepEqual(await idsByPage(fixture, '/outbox?limit=4&state=pending'), [
    ['5', '4', '3', '2'],
    ['1'],
  ]);
  assert.deepEqual(await idsByPage(fixture, '/runs?limit=5'), [['r5', 'r4', 'r3', 'r2', 'r1']]);
  assert.deepEqual(await idsByPage(fixture, '/specs?'), [[]]);
});

test('runs are filtered by what they are', async (t) => {
  const fixture = await startHttp(t);
  await insert(fixture, 'r1', { state: 'failed', delivery: 'd1' });
  await insert(fixture, 'r2', { spec: 'docs', lane: 'a/b', repository: 'Acme/Docs' });
  const filters = {
    'state=failed': ['r1'],
    'spec=docs': ['r2'],
    'lane=a%2Fb': ['r2'],
    'repository=acme/docs': ['r2'],
    'delivery=d1': ['r1'],
    'spec=docs&state=failed': [],
  };
  for (const [query, ids] of Object.entries(filters)) {
    assert.deepEqual(await idsByPage(fixture, `/runs?${query}`), [ids], query);
  }
});

test('a query that is not understood is refused, and says which part', async (t) => {
  const fixture = await startHttp(t);
  const wrong = [
    '/runs?limit=0',
    '/runs?limit=201',
    '/runs?limit=ten',
    '/runs?limit=1&limit=2',
    '/runs?state=done',
    '/runs?colour=red',
    '/runs/r1?x=1',
    '/runs/r1/log?timestamps=perhaps',
    '/outbox?state=lost',
    '/deliveries?offset=3',
    '/specs?limit=3',
  ];
  await insert(fixture, 'r1');
  for (const path of wrong) {
    assert.deepEqual(await problemOf(fixture, path), [400, 'invalid-query'], path);
  }
  const response = await asAdmin(`${fixture.url}/api/v1/runs?colour=red`);
  assert.match(await response.text(), /colour/);
});

test('a cursor that no list gave out is refused', async (t) => {
  const fixture = await startHttp(t);
  for (const cursor of ['x', 'djE6', '1', '%00', '☃']) {
    for (const list of ['/runs', '/deliveries', '/outbox']) {
      assert.deepEqual(await problemOf(fixture, `${list}?cursor=${cursor}`), [
        400,
        'invalid-cursor',
      ]);
    }
  }
  const long = 'x'.repeat(101);
  assert.deepEqual(await problemOf(fixture, `/runs?cursor=${long}`), [400, 'invalid-query']);
});

test('what there is not is not found, whatever its name', async (t) => {
  const fixture = await startHttp(t);
  const strange = ['unknown', '__proto__', '%2e%2e%2f', "'%20or%20'1'='1", '%00', '☃'];
  for (const id of strange) {
    assert.deepEqual(await problemOf(fixture, `/runs/${id}`), [404, 'run-unknown'], id);
    assert.deepEqual(await problemOf(fixture, `/deliveries/${id}`), [404, 'delivery-unknown']);
    assert.deepEqual(await problemOf(fixture, `/deliveries/${id}/explain`), [
      404,
      'delivery-unknown',
    ]);
    assert.deepEqual(await problemOf(fixture, `/deliveries/${id}/replay`, 'POST'), [
      404,
      'delivery-unknown',
    ]);
    for (const action of ['cancel', 'retry', 'rollback']) {
      assert.deepEqual(await problemOf(fixture, `/runs/${id}/${action}`, 'POST'), [
        404,
        'run-unknown',
      ]);
    }
    assert.deepEqual(await problemOf(fixture, `/outbox/${id}/retry`, 'POST'), [
      404,
      'entry-unknown',
    ]);
  }
});

test('a payload is shown however deeply it is nested', async (t) => {
  const fixture = await startHttp(t);
  const payload = `{"deep":${'['.repeat(100_000)}${']'.repeat(100_000)}}`;
  await fixture.store.accept(sampleDelivery('d1', { payload }));
  const response = await asAdmin(`${fixture.url}/api/v1/deliveries/d1`);
  assert.equal(response.status, 200);
  assert.match(response.headers.get('Content-Type') ?? '', /^application\/json/);
  const text = await response.text();
  assert.ok(text.endsWith(`,"payload":${payload}}`));
  assert.equal(typeof JSON.parse(text), 'object');
});

test('a delivery shows its payload and what became of it', async (t) => {
  const fixture = await startHttp(t);
  const { store } = fixture;
  await store.accept(sampleDelivery('d1', { action: 'published', payload: '{"ü":[1,null]}' }));
  assert.deepEqual(await get(fixture, '/deliveries/d1'), {
    id: 'd1',
    event: 'push',
    action: 'published',
    repository: 'acme/storefront',
    state: 'pending',
    summary: null,
    attempts: 0,
    receivedAt: '1970-01-01T00:00:01.000Z',
    processedAt: null,
    headers: null,
    payload: { ü: [1, null] },
  });
  assert.partialDeepStrictEqual(await get(fixture, '/deliveries/d1/explain'), {
    state: 'pending',
    summary: 'Not yet processed',
    specs: [],
  });

  const reasons = [{ condition: 'on.push.branches', held: false, detail: 'main is not in [docs]' }];
  const verdict = { matched: false, reasons };
  const specs = [{ spec: 'docs', verdict, run: undefined }];
  await store.inbox.close('d1', 'processed', { summary: 'Not deployed', specs }, 2000);
  assert.partialDeepStrictEqual(await get(fixture, '/deliveries/d1'), {
    state: 'processed',
    summary: 'Not deployed',
    processedAt: '1970-01-01T00:00:02.000Z',
  });
  assert.deepEqual(await get(fixture, '/deliveries/d1/explain'), {
    delivery: 'd1',
    event: 'push',
    state: 'processed',
    summary: 'Not deployed',
    specs: [
      {
        spec: 'docs',
        matched: false,
        run: null,
        runState: null,
        runReason: null,
        reasons,
        paths: null,
        says: [],
      },
    ],
  });
});

test('a run shows its steps and what GitHub has been told', async (t) => {
  const fixture = await startHttp(t);
  await insert(fixture, 'r1', { outputs: { url: 'https://shop.example' } });
  const callback = sampleStatus('pending');
  await fixture.store.outbox.add('r1', [{ target: 'a', callback }], 1000);
  const run = await get(fixture, '/runs/r1');
  assert.partialDeepStrictEqual(run, {
    id: 'r1',
    state: 'queued',
    tag: null,
    fault: null,
    outputs: { url: 'https://shop.example' },
    createdAt: '1970-01-01T00:00:01.000Z',
    startedAt: null,
    steps: [{ index: 0, name: 'Build', state: 'pending', exitCode: null, finishedAt: null }],
    callbacks: [{ id: '1', run: 'r1', kind: 'status', state: 'pending', tells: 'pending' }],
  });
  assert.deepEqual(
    ['sequence', 'specDigest', 'owner'].filter((key) => key in run),
    [],
  );
});

test('environments and specs show what is deployed and what is in use', async (t) => {
  const fixture = await startHttp(t);
  const run = { ...sampleRun('r1'), sequence: 1 };
  await fixture.store.environments.record(run, 1000);
  assert.partialDeepStrictEqual(await get(fixture, '/environments'), {
    items: [{ environment: 'production', spec: 'storefront', run: 'r1', removed: true }],
    next: null,
  });
  const problem = { file: 'a.yaml', line: 3, column: 5, message: 'unknown key "branchs"' };
  Object.assign(fixture.specs, { specs: [sampleLoaded()], stale: true, problems: [problem] });
  const pause = { kind: 'lane', name: 'main', by: 'admin', reason: 'the database moves' } as const;
  await fixture.store.pauses.add({ ...pause, since: 1000 });
  const lanes = async () => (await get(fixture, '/environments'))['items'];
  assert.partialDeepStrictEqual(await lanes(), [{ lane: 'main', removed: false }]);
  Object.assign(fixture.specs, { specs: [], loadedAt: 0 });
  assert.partialDeepStrictEqual(await lanes(), [{ lane: 'main', removed: false }]);
  Object.assign(fixture.specs, { specs: [sampleLoaded()], loadedAt: 1 });
  assert.deepEqual(await get(fixture, '/specs'), {
    items: [
      {
        name: 'storefront',
        repository: 'acme/storefront',
        environment: 'production',
        lane: 'main',
        paused: { ...pause, since: '1970-01-01T00:00:01.000Z' },
        installation: null,
        events: [],
        gates: [],
        steps: ['Build', 'Smoke'],
        file: 'storefront.yaml',
        line: 1,
        digest: 'digest',
        url: null,
      },
    ],
    next: null,
    stale: true,
    problems: [problem],
    source: null,
  });
});

test('an operator’s wishes go where they belong, once each, and only by POST', async (t) => {
  const fixture = await startHttp(t);
  const { url, store, asked } = fixture;
  await insert(fixture, 'r1');
  await store.outbox.add('r1', [{ target: 'a', callback: sampleStatus('pending') }], 1000);
  const wishes: [string, number, string][] = [
    ['/runs/r1/cancel', 202, 'cancel r1 as admin'],
    ['/runs/r1/retry', 201, 'retry r1 as admin'],
    ['/runs/r1/rollback', 201, 'rollback r1 as admin'],
    ['/runs/r1/rollback?reason=x', 201, 'rollback r1 as admin: x'],
    ['/specs/storefront/deploy?revision=main', 201, 'deploy storefront main as admin'],
    ['/outbox/1/retry', 202, 'resend 1 as admin'],
    ['/specs/storefront/pause?reason=x', 200, 'pause spec storefront as admin: x'],
    ['/specs/storefront/resume', 200, 'resume spec storefront as admin'],
    ['/lanes/a%2Fb%20c/pause', 200, 'pause lane a/b c as admin: '],
    ['/lanes/a%2Fb%20c/resume', 200, 'resume lane a/b c as admin'],
  ];
  for (const [path, status, wish] of wishes) {
    assert.deepEqual(await problemOf(fixture, path), [405, 'method-not-allowed']);
    assert.equal((await asAdmin(`${url}/api/v1${path}`, { method: 'POST' })).status, status);
    assert.equal(asked.pop(), wish);
    assert.deepEqual(asked, []);
  }
});

test('a replay answers with the runs that it made, and the intake is told who asked', async (t) => {
  const run: Run = { ...sampleRun('r9', { cause: 'replay' }), sequence: 9 };
  const outcome = { summary: 'Deploying storefront', specs: [] };
  const asked: [string, string][] = [];
  const replay = async (delivery: string, actor: string) => {
    asked.push([delivery, actor]);
    return { outcome, runs: [run] };
  };
  const fixture = await startHttp(t, { intake: { replay } });
  const response = await asAdmin(`${fixture.url}/api/v1/deliveries/d1/replay`, { method: 'POST' });
  assert.equal(response.status, 201);
  assert.partialDeepStrictEqual(await response.json(), {
    summary: 'Deploying storefront',
    runs: [{ id: 'r9', cause: 'replay' }],
  });
  assert.deepEqual(asked, [['d1', 'admin']]);
});

test('OpenAPI leads to the API, also below a path of a proxy', async (t) => {
  const fixture = await startHttp(t);
  const { servers } = (await get(fixture, '/openapi.json')) as { servers: { url: string }[] };
  for (const base of ['https://mainsheet.example', 'https://example.com/deploy/mainsheet']) {
    const api = new URL(servers[0]?.url ?? '/', `${base}/api/v1/openapi.json`).href;
    assert.equal(api, `${base}/`);
  }
});
