import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Run } from '../../src/model/run.ts';
import { parseSpecs } from '../../src/spec/load.ts';
import { sampleRun } from '../store/samples.ts';
import { startHttp } from './fixture.ts';
import { SAME_SITE } from './pages/browser.ts';
import { logInAs, peopleWith } from './people.ts';

const yaml = (name: string, repository: string, lane: string) =>
  `name: ${name}\nrepository: ${repository}\nenvironment: production\nconcurrency: { lane: ${lane} }\non: { push: {} }\nsteps: [{ run: make }]\n`;

test('a pause is resumed by those alone who may do so to all that it holds, and no page offers it to others', async (t) => {
  const both = { 'acme/shop': 'admin', 'acme/docs': 'admin' } as const;
  const people = peopleWith({
    all: both,
    one: { ...both, 'acme/docs': 'write' },
  });
  let passed = 0;
  const { url, store, specs, asked } = await startHttp(t, { people, passed: () => passed });
  const lane = [yaml('shop', 'acme/shop', 'shared'), yaml('docs', 'acme/docs', 'shared')];
  specs.specs = parseSpecs('all.yaml', lane.join('---\n')).specs;
  // Waits, so that its page says what it waits for.
  const run = sampleRun('r1', { spec: 'shop', repository: 'acme/shop', lane: 'shared' });
  await store.runs.insert({ ...run, state: 'blocked', reason: '' }, []);
  await store.pauses.add({ kind: 'lane', name: 'shared', since: 1, by: 'ann', reason: 'x' });

  const look = async (login: string) => {
    const Cookie = await logInAs(url, login);
    const offers = [];
    for (const path of ['/', '/specs/shop', '/runs/r1']) {
      const text = await (await fetch(url + path, { headers: { Cookie } })).text();
      assert.match(text, /ann/, `${path} says who paused it`);
      offers.push(text.includes('lanes/shared/resume'));
    }
    const init = { method: 'POST', redirect: 'manual', headers: { ...SAME_SITE, Cookie } } as const;
    const page = await fetch(`${url}/lanes/shared/resume`, { ...init, body: '' });
    const api = await fetch(`${url}/api/v1/lanes/shared/resume`, init);
    return [...offers, page.status, api.status];
  };
  assert.deepEqual(await look('all'), [true, true, true, 303, 200]);
  assert.deepEqual(await look('one'), [false, false, false, 403, 403]);
  assert.equal(asked.length, 2);

  // What a spec that is gone has deployed there is held, too.
  specs.specs = parseSpecs('all.yaml', lane[0] ?? '').specs;
  assert.deepEqual(await look('one'), [true, true, true, 303, 200]);
  const gone = sampleRun('r2', { spec: 'docs', repository: 'acme/docs', lane: 'shared' });
  const made = await store.runs.insert({ ...gone, state: 'succeeded' }, []);
  assert.ok(made);
  await store.environments.record(made, 2);
  // Which repositories there are is looked up each minute.
  passed = 61_000;
  assert.deepEqual(await look('one'), [false, false, false, 403, 403]);
});

test("a spec that was another repository's before is paused and deployed by those of the one that it is of now", async (t) => {
  const people = peopleWith({ owner: { 'acme/new': 'admin' }, former: { 'acme/old': 'admin' } });
  const { url, store, specs } = await startHttp(t, { people });
  specs.specs = parseSpecs('all.yaml', yaml('shop', 'acme/new', 'shop')).specs;
  const old = sampleRun('r1', { spec: 'shop', repository: 'acme/old', lane: 'shop' });
  const made = await store.runs.insert({ ...old, state: 'succeeded' }, []);
  assert.ok(made);
  await store.environments.record(made, 2);
  const ask = async (login: string) => {
    const headers = { ...SAME_SITE, Cookie: await logInAs(url, login) };
    const paths = ['/specs/shop/pause', '/api/v1/specs/shop/pause', '/api/v1/specs/shop/deploy'];
    const init = { method: 'POST', redirect: 'manual', headers, body: '' } as const;
    return await Promise.all(paths.map(async (path) => (await fetch(url + path, init)).status));
  };
  assert.deepEqual(await ask('owner'), [303, 200, 201]);
  assert.deepEqual(await ask('former'), [404, 404, 404]);
});

test('by whom and why a lane of several repositories is paused is told to those alone who see all of them', async (t) => {
  const people = peopleWith({
    all: { 'acme/shop': 'read', 'acme/docs': 'read' },
    one: { 'acme/shop': 'write' },
  });
  const { url, store, specs } = await startHttp(t, {
    people,
    operate: {
      rollback: async (id) => ({ run: (await store.runs.get(id)) as Run, pause: PAUSE }),
      rollbackSpec: async () => ({ run: (await store.runs.get('r1')) as Run, pause: PAUSE }),
    },
  });
  const lane = [yaml('shop', 'acme/shop', 'shared'), yaml('docs', 'acme/docs', 'shared')];
  specs.specs = parseSpecs('all.yaml', lane.join('---\n')).specs;
  const run = sampleRun('r1', { spec: 'shop', repository: 'acme/shop', lane: 'shared' });
  await store.runs.insert({ ...run, state: 'blocked', reason: 'Paused since 1970' }, []);
  await store.pauses.add(PAUSE);
  const asked = [
    '/',
    '/specs',
    '/specs/shop',
    '/runs/r1',
    '/api/v1/pauses',
    '/api/v1/overview',
    '/api/v1/specs',
  ];
  const look = async (login: string) => {
    const headers = { ...SAME_SITE, Cookie: await logInAs(url, login) };
    return await Promise.all(
      asked.map(async (path) => {
        const text = await (await fetch(url + path, { headers })).text();
        assert.match(text, /[Pp]aused|"kind":"lane"/, `${login}: ${path}`);
        return /petra|leaks/.test(text);
      }),
    );
  };
  assert.deepEqual(new Set(await look('all')), new Set([true]));
  assert.deepEqual(new Set(await look('one')), new Set([false]));
  const headers = { ...SAME_SITE, Cookie: await logInAs(url, 'one') };
  for (const path of ['runs/r1', 'specs/shop']) {
    const answer = await fetch(`${url}/api/v1/${path}/rollback`, { method: 'POST', headers });
    assert.equal(answer.status, 201);
    assert.partialDeepStrictEqual(await answer.json(), { paused: { by: null, reason: '' } });
  }
});

const PAUSE = {
  kind: 'lane',
  name: 'shared',
  since: 1,
  by: 'petra',
  reason: 'docs leaks',
} as const;
