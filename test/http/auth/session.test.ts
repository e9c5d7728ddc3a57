import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { test, type TestContext } from 'node:test';
import { asAdmin, ADMIN_TOKEN } from '../../support/admin.ts';
import { until } from '../../support/until.ts';
import { startHttp, type Fixture } from '../fixture.ts';
import { cookieOf, logIn, SAME_SITE } from '../pages/browser.ts';
import { peopleWith } from '../people.ts';

const DAY = 86_400_000;

const page = (url: string, Cookie: string) =>
  fetch(`${url}/`, { headers: { Cookie }, redirect: 'manual' });

const post = (url: string, body: Record<string, string>, headers: Record<string, string> = {}) =>
  fetch(url, {
    method: 'POST',
    redirect: 'manual',
    headers: { ...SAME_SITE, ...headers },
    body: new URLSearchParams(body),
  });

/** A server whose clock a test sets. */
async function withClock(
  t: TestContext,
  options: Parameters<typeof startHttp>[1] = {},
): Promise<Fixture & { wait: (ms: number) => void }> {
  let passed = 0;
  const fixture = await startHttp(t, { ...options, passed: () => passed });
  return { ...fixture, wait: (ms) => (passed += ms) };
}

test('the admin token logs a browser in, and another value does not', async (t) => {
  const { url } = await startHttp(t);
  const cookie = await logIn(url);
  assert.equal((await page(url, cookie)).status, 200);

  const wrong = await post(`${url}/login`, { token: `${ADMIN_TOKEN}x` });
  assert.equal(wrong.status, 403);
  assert.equal(cookieOf(wrong), '');
  assert.match(await wrong.text(), /not the admin token/);
});

test('the cookie is for this server alone, and no script reads it', async (t) => {
  const { url } = await startHttp(t);
  const [set] = (await post(`${url}/login`, { token: ADMIN_TOKEN })).headers.getSetCookie();
  assert.match(
    set ?? '',
    /^mainsheet=[\w-]{43}\.[\w-]{43}; Path=\/; Max-Age=\d+; HttpOnly; SameSite=Lax$/,
  );
  const { url: secure } = await startHttp(t, { publicUrl: 'https://mainsheet.example/ops' });
  const [set2] = (await post(`${secure}/login`, { token: ADMIN_TOKEN })).headers.getSetCookie();
  assert.match(set2 ?? '', /^__Host-mainsheet=.*; Secure$/);
});

test('a session that was planted before a log-in is worth nothing after it', async (t) => {
  const { url } = await startHttp(t);
  const planted = await logIn(url);
  const own = await logIn(url, { Cookie: planted });
  assert.notEqual(own, planted);
  assert.equal((await page(url, planted)).status, 303);
  assert.equal((await page(url, own)).status, 200);
});

test('a cookie whose signature is wrong, or that another token has signed, is no session', async (t) => {
  const { url } = await startHttp(t);
  const cookie = await logIn(url);
  const { url: other } = await startHttp(t, { adminToken: 'another-token-of-the-tests' });
  for (const forged of [
    cookie.slice(0, -2),
    `${cookie}A`,
    cookie.replace('.', '-'),
    'mainsheet=x.y',
  ]) {
    assert.equal((await page(url, forged)).status, 303, forged);
  }
  assert.equal((await page(other, cookie)).status, 303);
});

test('the store holds nothing that logs in', async (t) => {
  const { url, store } = await startHttp(t);
  const [, id = ''] = /=([\w-]+)\./.exec(await logIn(url)) ?? [];
  assert.equal(await store.sessions.get(id), undefined);
});

test('a session ends after a week without use, and after 30 days in any case', async (t) => {
  const { url, wait } = await withClock(t);
  const idle = await logIn(url);
  wait(7 * DAY + 1);
  assert.equal((await page(url, idle)).status, 303);

  let used = await logIn(url);
  for (let days = 0; days < 29; days += 1) {
    wait(DAY);
    const answer = await page(url, used);
    assert.equal(answer.status, 200, `after ${days + 1} days`);
    used = cookieOf(answer) || used;
  }
  wait(DAY + 1);
  assert.equal((await page(url, used)).status, 303);
});

test('a session gets another id each day; the one before is good for a minute more', async (t) => {
  const { url, wait } = await withClock(t);
  const first = await logIn(url);
  assert.equal(cookieOf(await page(url, first)), '');
  wait(DAY);
  const second = cookieOf(await page(url, first));
  assert.notEqual(second, '');
  assert.notEqual(second, first);
  // Another request of the same page, which was sent with the old one.
  const meanwhile = await page(url, first);
  assert.equal(meanwhile.status, 200);
  assert.equal(cookieOf(meanwhile), '');
  wait(60_001);
  assert.equal((await page(url, first)).status, 303);
  assert.equal((await page(url, second)).status, 200);
});

test('logging out ends the session, and everywhere ends them all', async (t) => {
  const { url } = await startHttp(t);
  const [one, two, three] = [await logIn(url), await logIn(url), await logIn(url)];
  await post(`${url}/logout`, {}, { Cookie: one });
  assert.equal((await page(url, one)).status, 303);
  assert.equal((await page(url, two)).status, 200);
  await post(`${url}/logout?everywhere=1`, {}, { Cookie: two });
  assert.equal((await page(url, two)).status, 303);
  assert.equal((await page(url, three)).status, 303);
});

test('a link logs in once, within 15 minutes, and not by being opened', async (t) => {
  const { url, wait } = await withClock(t);
  const invite = async () => {
    const answer = await asAdmin(`${url}/api/v1/login-links`, { method: 'POST' });
    return new URL(((await answer.json()) as { path: string }).path, `${url}/`);
  };
  const link = await invite();
  for (let times = 0; times < 2; times += 1) {
    const opened = await fetch(link);
    assert.equal(opened.status, 200);
    assert.equal(cookieOf(opened), '');
  }
  const code = link.searchParams.get('code') ?? '';
  const used = await post(`${url}/login`, { code });
  assert.equal((await page(url, cookieOf(used))).status, 200);
  assert.equal((await post(`${url}/login`, { code })).status, 403);

  const late = (await invite()).searchParams.get('code') ?? '';
  wait(15 * 60_000);
  assert.equal((await post(`${url}/login`, { code: late })).status, 403);
});

test('a log-in leads back to where it was asked for, and never to another server', async (t) => {
  const { url } = await startHttp(t);
  const asked = await fetch(`${url}/?state=failed&q=%C3%A4`, { redirect: 'manual' });
  assert.equal(asked.status, 303);
  const login = new URL(asked.headers.get('Location') ?? '', `${url}/`);
  const back = await post(login.href, { token: ADMIN_TOKEN });
  assert.equal(
    new URL(back.headers.get('Location') ?? '', login).href,
    `${url}/?state=failed&q=%C3%A4`,
  );

  for (const next of [
    '//evil.example',
    'https://evil.example',
    '/\\evil.example',
    '\\evil.example',
    'javascript:alert(1)',
    '../../evil',
    'x\r\nSet-Cookie: a=b',
  ]) {
    const query = new URLSearchParams({ next }).toString();
    const answer = await post(`${url}/login?${query}`, { token: ADMIN_TOKEN });
    const to = new URL(answer.headers.get('Location') ?? '', `${url}/login`);
    assert.equal(to.href, `${url}/`, next);
  }
});

test('log-ins that fail are slowed down, for each address', async (t) => {
  const { url, wait } = await withClock(t);
  for (let tries = 0; tries < 10; tries += 1) {
    assert.equal((await post(`${url}/login`, { token: 'guess' })).status, 403);
  }
  const refused = await post(`${url}/login`, { token: ADMIN_TOKEN });
  assert.equal(refused.status, 429);
  assert.equal(refused.headers.get('Retry-After'), '60');
  wait(60_000);
  assert.equal((await post(`${url}/login`, { token: ADMIN_TOKEN })).status, 303);
});

test('wrong tokens count together with log-ins that fail, wherever they are shown', async (t) => {
  const { url, wait } = await withClock(t, {
    people: peopleWith({}),
    trustedProxies: ['127.0.0.1'],
  });
  const Cookie = await logIn(url);
  const show = (path: string, token: string, from = '192.0.2.1') =>
    fetch(url + path, {
      redirect: 'manual',
      headers: { Authorization: `Bearer ${token}`, 'X-Forwarded-For': from },
    });
  const ways = { '/api/v1/runs': 401, '/': 303, '/metrics': 401, '/readyz': 200 };
  for (let round = 0; round < 2; round += 1) {
    for (const [path, status] of Object.entries(ways)) {
      assert.equal((await show(path, 'guess')).status, status, path);
    }
    const wrong = await post(
      `${url}/login`,
      { token: 'guess' },
      { 'X-Forwarded-For': '192.0.2.1' },
    );
    assert.equal(wrong.status, 403);
  }
  for (const path of Object.keys(ways)) {
    for (const token of ['guess', ADMIN_TOKEN]) {
      const refused = await show(path, token);
      assert.equal(refused.status, 429, path);
      assert.equal(refused.headers.get('Retry-After'), '60');
      assert.match(await refused.text(), /too many log-ins have failed/i);
    }
    assert.equal((await show(path, ADMIN_TOKEN, '192.0.2.2')).status, 200, path);
  }
  const form = { token: ADMIN_TOKEN };
  const logged = await post(`${url}/login`, form, { 'X-Forwarded-For': '192.0.2.1' });
  assert.equal(logged.status, 429);
  const session = { Cookie, 'X-Forwarded-For': '192.0.2.1' };
  assert.equal((await fetch(`${url}/api/v1/runs`, { headers: session })).status, 200);
  wait(60_000);
  assert.equal((await show('/api/v1/runs', ADMIN_TOKEN)).status, 200);
});

test('what is no token is no guess', async (t) => {
  const { url } = await startHttp(t);
  for (const authorization of ['', 'Basic YTpi', 'Bearer', ADMIN_TOKEN]) {
    for (let tries = 0; tries < 11; tries += 1) {
      const headers = { Authorization: authorization };
      assert.equal((await fetch(`${url}/api/v1/runs`, { headers })).status, 401);
    }
  }
  assert.equal((await asAdmin(`${url}/api/v1/runs`)).status, 200);
});

test('of log-ins that are sent at once no more are judged than of those one after another', async (t) => {
  const { url, port, server, wait } = await withClock(t);
  for (const field of ['token', 'code']) {
    let arrived = 0;
    const count = () => (arrived += 1);
    server.on('request', count);
    const open = Array.from({ length: 15 }, () => {
      const headers = { ...SAME_SITE, 'Transfer-Encoding': 'chunked' };
      const sent = request({ port, host: '127.0.0.1', path: '/login', method: 'POST', headers });
      sent.flushHeaders();
      return { sent, answered: once(sent, 'response') };
    });
    await until('all have arrived', () => arrived === open.length);
    server.off('request', count);
    const statuses = await Promise.all(
      open.map(async ({ sent, answered }) => {
        sent.end(`${field}=guess`);
        const [response] = (await answered) as [IncomingMessage];
        response.resume();
        return response.statusCode;
      }),
    );
    const judged = statuses.filter((status) => status === 403);
    const refused = statuses.filter((status) => status === 429);
    assert.deepEqual([judged.length, refused.length], [10, 5], field);
    wait(60_000);
  }
  // A log-in that was right counts for nothing.
  for (let tries = 0; tries < 11; tries += 1) await logIn(url);
});

test('what another site makes a browser send changes nothing', async (t) => {
  const { url, port, asked } = await startHttp(t, { publicUrl: 'https://mainsheet.example' });
  const Cookie = (await logIn(url)).replace(/^mainsheet/, 'mainsheet');
  const cancel = (headers: Record<string, string>) =>
    fetch(`${url}/api/v1/runs/r1/cancel`, { method: 'POST', headers: { Cookie, ...headers } });
  const foreign: Record<string, string>[] = [
    { 'Sec-Fetch-Site': 'cross-site' },
    { 'Sec-Fetch-Site': 'same-site' },
    { 'Sec-Fetch-Site': 'cross-site', Origin: url },
    { Origin: 'https://evil.example' },
    { Origin: 'null' },
    {},
  ];
  for (const headers of foreign) {
    assert.equal((await cancel(headers)).status, 403, JSON.stringify(headers));
  }
  assert.deepEqual(asked, []);
  const own: Record<string, string>[] = [
    { 'Sec-Fetch-Site': 'same-origin' },
    { Origin: `http://127.0.0.1:${port}` },
    { Origin: 'https://mainsheet.example' },
  ];
  for (const headers of own) await cancel(headers);
  assert.equal(asked.length, own.length);
});

test('another site cannot log a browser in or out', async (t) => {
  const { url } = await startHttp(t);
  const foreign = { 'Sec-Fetch-Site': 'cross-site' };
  assert.equal((await post(`${url}/login`, { token: ADMIN_TOKEN }, foreign)).status, 403);
  const Cookie = await logIn(url);
  for (const more of [{}, { Authorization: 'Basic YTpi' }]) {
    assert.equal((await post(`${url}/logout`, {}, { ...foreign, ...more, Cookie })).status, 403);
  }
  assert.equal((await page(url, Cookie)).status, 200);
});
