import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { RetryableError, TerminalError } from '../../../src/lib/errors.ts';
import { startHttp } from '../fixture.ts';
import { cookieOf, logIn, SAME_SITE } from '../pages/browser.ts';
import { beginLogIn, comeBack, logInAs, peopleWith } from '../people.ts';

const home = (url: string, cookie: string) =>
  fetch(`${url}/`, { headers: { Cookie: cookie }, redirect: 'manual' });

async function start(t: TestContext, more: Parameters<typeof startHttp>[1] = {}) {
  return await startHttp(t, { people: peopleWith({ alice: {}, bob: {} }), ...more });
}

test('a user logs in with GitHub, and the session is theirs', async (t) => {
  const { url } = await start(t);
  const page = await home(url, await logInAs(url, 'alice'));
  assert.equal(page.status, 200);
  assert.match(await page.text(), /Logged in as <span class="strong">github:alice<\/span>/);
});

test('the cookie of the way there is for this server alone, lasts ten minutes, and says nothing', async (t) => {
  const { url } = await start(t, { publicUrl: 'https://mainsheet.example' });
  const answer = await fetch(`${url}/auth/github`, { redirect: 'manual' });
  const [set = ''] = answer.headers.getSetCookie();
  assert.match(
    set,
    /^__Host-mainsheet-login=[\w-]+; Path=\/; Max-Age=600; HttpOnly; SameSite=Lax; Secure$/,
  );
  const state = new URL(answer.headers.get('Location') ?? '').searchParams.get('state') ?? '';
  assert.ok(!Buffer.from(set.split(/[=;]/)[1] ?? '', 'base64url').includes(state));
});

test('a way back that did not begin in this browser, is wrong, late or used before, logs no person in', async (t) => {
  let passed = 0;
  const { url } = await start(t, { passed: () => passed });
  const [mine, other] = [await beginLogIn(url), await beginLogIn(url)];
  const refused = async (what: string, query: Record<string, string>, cookie: string) => {
    const answer = await comeBack(url, { code: 'alice', ...query }, cookie);
    assert.equal(answer.status, 400, what);
    assert.equal(cookieOf(answer), '', what);
    assert.match(await answer.text(), /not the end of a log-in that began here/, what);
  };
  await refused('no state', {}, mine.cookie);
  await refused('a wrong state', { state: `${mine.state}x` }, mine.cookie);
  await refused('no cookie', { state: mine.state }, '');
  await refused('the cookie of another browser', { state: mine.state }, other.cookie);
  await refused(
    'a cookie that was changed',
    { state: mine.state },
    `${mine.cookie.slice(0, -4)}AAAA`,
  );
  await refused('a cookie that is none', { state: mine.state }, 'mainsheet-login=x');

  const good = await comeBack(url, { code: 'alice', state: mine.state }, mine.cookie);
  assert.equal(good.status, 303);
  assert.match(good.headers.getSetCookie().join('\n'), /^mainsheet-login=; Path=\/; Max-Age=0/m);
  await refused('once more', { state: mine.state }, mine.cookie);

  passed = 61_000;
  const late = await beginLogIn(url);
  passed += 600_000;
  await refused('ten minutes later', { state: late.state }, late.cookie);
});

test('a log-in that ends another way says so, and begins no session', async (t) => {
  const errors: Record<string, Error> = {
    wrong: new TerminalError('sign-in-refused', 'GitHub does not take the code'),
    away: new RetryableError('github-unreachable', 'github.com cannot be reached'),
  };
  const people = peopleWith({});
  const userOf = async ({ code }: { code: string }) => {
    throw errors[code] ?? new Error('unexpected');
  };
  const { url } = await start(t, { people: { ...people, signIn: { ...people.signIn, userOf } } });
  for (const [query, status, says] of [
    [{ error: 'access_denied' }, 403, /was not allowed to say who you are/],
    [{ code: '../x' }, 403, /was not allowed/],
    [{ code: 'wrong' }, 403, /does not take the code/],
    [{ code: 'away' }, 503, /cannot be asked who you are/],
  ] as const) {
    const { cookie, state } = await beginLogIn(url);
    const answer = await comeBack(url, { ...query, state }, cookie);
    assert.equal(answer.status, status);
    assert.equal(cookieOf(answer), '');
    assert.match(await answer.text(), says);
  }
});

test('a session that was planted before the log-in is worth nothing after it', async (t) => {
  const { url } = await start(t);
  const planted = await logInAs(url, 'bob');
  const { cookie, state } = await beginLogIn(url);
  const answer = await comeBack(url, { code: 'alice', state }, `${cookie}; ${planted}`);
  assert.notEqual(cookieOf(answer), planted);
  assert.equal((await home(url, planted)).status, 303);
  assert.equal((await home(url, cookieOf(answer))).status, 200);
});

test('a log-in leads to a page of the dashboard and nowhere else', async (t) => {
  let passed = 0;
  const { url } = await start(t, { passed: () => passed });
  const after = async (next: string) => {
    passed += 6000;
    const { cookie, state } = await beginLogIn(url, `?next=${encodeURIComponent(next)}`);
    const answer = await comeBack(url, { code: 'alice', state }, cookie);
    const base = `${url}/auth/github/callback`;
    return new URL(answer.headers.get('Location') ?? '', base).href.slice(url.length);
  };
  assert.equal(await after('runs/abc?x=1'), '/runs/abc?x=1');
  assert.equal(await after('?q=shop'), '/?q=shop');
  for (const bad of [
    '//evil.example',
    String.raw`/\evil.example`,
    String.raw`\\evil.example`,
    'https://evil.example',
    'https:evil.example',
    'javascript:alert(1)',
    '/%2F/evil.example',
    '%2F%2Fevil.example',
    'x/%2e%2e/%2e%2e//evil.example',
    '../../evil',
    'runs\r\nLocation: https://evil.example',
    '@evil.example',
  ]) {
    assert.equal(await after(bad), '/', bad);
  }
});

test('another site cannot begin a log-in, which would end the session that is there', async (t) => {
  const { url } = await start(t);
  const answer = await fetch(`${url}/auth/github`, {
    redirect: 'manual',
    headers: { 'Sec-Fetch-Site': 'cross-site' },
  });
  assert.equal(answer.headers.get('Location'), '../login');
  assert.deepEqual(answer.headers.getSetCookie(), []);
});

test('log-ins that fail are limited as those with the token are; what ends none that began there is no log-in', async (t) => {
  const { url } = await start(t);
  const mine = await beginLogIn(url);
  for (let at = 0; at < 11; at += 1) {
    assert.equal((await comeBack(url, { code: 'x', state: 'x' }, '')).status, 400);
    assert.equal((await comeBack(url, { code: 'x', state: 'x' }, mine.cookie)).status, 400);
  }
  await logIn(url);
  for (let at = 0; at < 11; at += 1) {
    await comeBack(url, { code: 'alice', state: mine.state }, mine.cookie);
  }
  assert.equal((await comeBack(url, { code: 'x', state: 'x' }, '')).status, 429);
  assert.equal((await fetch(`${url}/auth/github`, { redirect: 'manual' })).status, 429);
});

test('too many log-ins begin no session, and keep the admin token from nothing', async (t) => {
  const { url } = await start(t);
  for (let at = 0; at < 10; at += 1) await logInAs(url, 'alice');
  const { cookie, state } = await beginLogIn(url);
  const refused = await comeBack(url, { code: 'bob', state }, cookie);
  assert.deepEqual([refused.status, cookieOf(refused)], [429, '']);
  assert.equal(refused.headers.get('Retry-After'), '6');
  await logIn(url);
});

test('a user has twenty sessions at most: the oldest ends', async (t) => {
  let passed = 0;
  const { url } = await start(t, { passed: () => passed });
  const cookies: string[] = [];
  for (let at = 0; at < 21; at += 1) {
    passed += 6000;
    cookies.push(await logInAs(url, 'alice'));
  }
  const statuses = cookies.slice(0, 2).map(async (one) => (await home(url, one)).status);
  assert.deepEqual(await Promise.all(statuses), [303, 200]);
});

test('logging out everywhere ends the sessions of that user and of no other', async (t) => {
  const { url } = await start(t);
  const admin = await logIn(url);
  const [first, second, other] = [
    await logInAs(url, 'alice'),
    await logInAs(url, 'alice'),
    await logInAs(url, 'bob'),
  ];
  await fetch(`${url}/logout?everywhere=1`, {
    method: 'POST',
    headers: { ...SAME_SITE, Cookie: first },
    redirect: 'manual',
  });
  const statuses = [first, second, other, admin].map(async (one) => (await home(url, one)).status);
  assert.deepEqual(await Promise.all(statuses), [303, 303, 200, 200]);
});

test('the log-in with GitHub is offered first where there is one, and only there', async (t) => {
  const { url } = await start(t);
  const text = await (await fetch(`${url}/login?next=runs`)).text();
  assert.match(text, /href="\.\/auth\/github\?next=runs"[^]*<details[^]*name="token"/);
  const { url: without } = await startHttp(t);
  assert.doesNotMatch(await (await fetch(`${without}/login`)).text(), /auth\/github/);
  assert.equal((await fetch(`${without}/auth/github`)).status, 404);
});

test('where the log-in with GitHub is no more, sessions that it began are none', async (t) => {
  const { store, url, deps } = await start(t);
  const cookie = await logInAs(url, 'alice');
  const { url: without, store: empty } = await startHttp(t, { adminToken: deps.adminToken });
  const id = /=([\w-]+)\./.exec(cookie)?.[1] ?? '';
  const { createHash } = await import('node:crypto');
  const session = await store.sessions.get(createHash('sha256').update(id).digest('hex'));
  assert.ok(session !== undefined);
  await empty.sessions.add(session);
  assert.equal((await home(without, cookie)).status, 303);
});
