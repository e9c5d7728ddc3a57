import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createAskCostly } from '../../src/http/questions.ts';
import { sampleRun } from '../store/samples.ts';
import { asAdmin } from '../support/admin.ts';
import { startHttp } from './fixture.ts';
import { SAME_SITE } from './pages/browser.ts';
import { logInAs, peopleWith } from './people.ts';

const person = (login: string) => ({ actor: `github:${login}`, visible: [] });
const admin = { actor: 'admin', visible: undefined };

function setUp() {
  let now = 0;
  const ask = createAskCostly({ elapsed: () => now });
  const ends: (() => void)[] = [];
  return {
    ask,
    wait: (ms: number) => (now += ms),
    /** Questions that are under way until `end`. */
    hold: (who: Parameters<typeof ask>[0], count: number) =>
      Array.from({ length: count }, () =>
        ask(who, () => new Promise<void>((resolve) => ends.push(resolve))),
      ),
    end: () => ends.forEach((end) => end()),
  };
}

const refused = (waitS: string) => ({
  status: 429,
  code: 'too-many-questions',
  headers: { 'Retry-After': waitS },
});
const answer = async () => 'answer';

test('a person asks four questions at once, people all together 24, an administrator sixteen', async () => {
  const { ask, hold, end } = setUp();
  const held = hold(person('ann'), 4);
  await assert.rejects(ask(person('ann'), answer), refused('1'));
  for (const login of ['bob', 'cem', 'dan', 'eva', 'fay']) held.push(...hold(person(login), 4));
  await assert.rejects(ask(person('gil'), answer), refused('1'));
  held.push(...hold(admin, 16));
  await assert.rejects(ask(admin, answer), refused('1'));
  end();
  await Promise.all(held);
  for (const who of [person('ann'), person('gil'), admin]) await ask(who, answer);
  await assert.rejects(
    ask(admin, async () => {
      throw new Error('broken');
    }),
    /broken/,
  );
});

test('a person asks sixty in a minute, an administrator 240, and then one for each part of it; what was refused counts for nothing', async () => {
  const { ask, wait } = setUp();
  for (const [who, count, partMs] of [
    [person('ann'), 60, 1000],
    [admin, 240, 250],
  ] as const) {
    for (let at = 0; at < count; at += 1) await ask(who, answer);
    for (let at = 0; at < 3; at += 1) await assert.rejects(ask(who, answer), refused('1'));
    wait(partMs);
    await ask(who, answer);
    await assert.rejects(ask(who, answer), refused('1'));
  }
  await ask(person('bob'), answer);
});

test('what reads much is limited for each viewer, on pages and in the API; what a page needs is not', async (t) => {
  const name = 'acme/storefront';
  const people = peopleWith({ ann: { [name]: 'read' }, bob: { [name]: 'read' } });
  const { url, store } = await startHttp(t, { people });
  await store.runs.insert(sampleRun('r1', { repository: name }), []);
  const Cookie = await logInAs(url, 'ann');
  const ask = (path: string, init: RequestInit = {}) =>
    fetch(url + path, { redirect: 'manual', headers: { ...SAME_SITE, Cookie }, ...init });
  for (let at = 0; at < 60; at += 1) assert.equal((await ask('/why?q=aaaaaaa')).status, 200);

  const costly = [
    ['GET', '/why?q=aaaaaaa'],
    ['GET', '/insights'],
    ['GET', '/runs/r1/log?q=x'],
    ['POST', '/specs/storefront/try'],
    ['POST', '/specs/storefront/backtest'],
    ['GET', `/api/v1/why?repository=${name}&sha=aaaaaaa`],
    ['GET', '/api/v1/ask?q=aaaaaaa'],
    ['GET', '/api/v1/insights'],
  ] as const;
  for (const [method, path] of costly) {
    const answered = await ask(path, { method });
    assert.deepEqual([answered.status, answered.headers.get('Retry-After')], [429, '1'], path);
    assert.match(await answered.text(), /oo many costly questions/);
  }
  const json = { ...SAME_SITE, Cookie, 'Content-Type': 'application/json' };
  for (const [path, body] of [
    ['/api/v1/backtest', { specs: [{ file: 'a.yaml', text: '' }] }],
    ['/api/v1/specs/storefront/try', { event: 'push', ref: 'main' }],
  ] as const) {
    const init = { method: 'POST', headers: json, body: JSON.stringify(body) };
    assert.equal((await ask(path, init)).status, 429, path);
  }
  for (const path of ['/', '/why', '/runs', '/runs/r1', '/runs/r1/log', '/runs/r1/log/1']) {
    assert.equal((await ask(path)).status, 200, path);
  }
  const headers = { Cookie: await logInAs(url, 'bob') };
  assert.equal((await ask('/insights', { headers })).status, 200, 'of another person');
  assert.equal((await asAdmin(`${url}/api/v1/insights`)).status, 200, 'of the admin token');
});
