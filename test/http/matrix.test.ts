import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ADMIN_TOKEN } from '../support/admin.ts';
import { sampleRun } from '../store/samples.ts';
import { startHttp } from './fixture.ts';
import { logIn, SAME_SITE } from './pages/browser.ts';

/** What somebody who is not logged in gets: `open` the same as everybody, `login` is led to the log-in, `refused` a 401. */
type Anonymous = 'open' | 'login' | 'refused';

/** Every page. Routes of the API are all `refused`; they are read from its description. */
const PAGES: Record<string, Anonymous> = {
  'GET /': 'login',
  'GET /live': 'login',
  'GET /runs': 'login',
  'GET /deliveries': 'login',
  'GET /deliveries/:id': 'login',
  'GET /deliveries/:id/replay': 'login',
  'POST /deliveries/:id/replay': 'login',
  'GET /specs': 'login',
  'GET /specs/:name': 'login',
  'GET /specs/:name/history': 'login',
  'GET /specs/:name/pause': 'login',
  'POST /specs/:name/pause': 'login',
  'GET /specs/:name/resume': 'login',
  'POST /specs/:name/resume': 'login',
  'GET /lanes/:name/pause': 'login',
  'POST /lanes/:name/pause': 'login',
  'GET /lanes/:name/resume': 'login',
  'POST /lanes/:name/resume': 'login',
  'GET /specs/:name/deploy': 'login',
  'POST /specs/:name/deploy': 'login',
  'GET /callbacks': 'login',
  'GET /callbacks/resend': 'login',
  'POST /callbacks/resend': 'login',
  'GET /callbacks/:id': 'login',
  'POST /callbacks/:id/resend': 'login',
  'GET /why': 'login',
  'GET /insights': 'login',
  'GET /activity': 'login',
  'GET /automation': 'login',
  'GET /hooks': 'login',
  'GET /hooks/:id': 'login',
  'POST /hooks/:id/try': 'login',
  'GET /settings': 'login',
  'POST /settings/check': 'login',
  'GET /runs/:id': 'login',
  'GET /runs/:id/log': 'login',
  'GET /runs/:id/log.txt': 'login',
  'GET /runs/:id/log/:step': 'login',
  'GET /runs/:id/cancel': 'login',
  'GET /runs/:id/retry': 'login',
  'GET /runs/:id/rollback': 'login',
  'GET /runs/:id/approve': 'login',
  'POST /runs/:id/approve': 'login',
  'GET /runs/:id/reject': 'login',
  'POST /runs/:id/reject': 'login',
  'GET /runs/:id/override': 'login',
  'POST /runs/:id/override': 'login',
  'POST /runs/:id/cancel': 'login',
  'POST /runs/:id/retry': 'login',
  'POST /runs/:id/rollback': 'login',
  'GET /badge/:spec.svg': 'open',
  'GET /login': 'open',
  'POST /login': 'open',
  'POST /logout': 'open',
  'POST /theme': 'open',
};

/** What is neither a page nor of the API: each says by itself who may. */
const OTHERS = new Set(['GET /healthz', 'GET /readyz', 'GET /metrics']);

test('each route answers those who may ask, and a route without a row in this table fails', async (t) => {
  const { url, routes, store } = await startHttp(t);
  await store.runs.insert(sampleRun('r1'), ['Build']);
  const session = { Cookie: await logIn(url), ...SAME_SITE };
  const token = {
    Authorization: `Bearer ${ADMIN_TOKEN}`,
    'Content-Type': SAME_SITE['Content-Type'],
  };
  const forged = { Cookie: `mainsheet=${'A'.repeat(43)}.${'A'.repeat(43)}`, ...SAME_SITE };

  const ask = async (route: string, headers: Record<string, string>) => {
    const [method = '', path = ''] = route.split(' ');
    const gone = new AbortController();
    const body = method === 'POST' ? '' : undefined;
    const target = url + path.replaceAll(/:\w+/g, 'r1');
    const init = { method, headers, redirect: 'manual', signal: gone.signal } as const;
    const answer = await fetch(target, body === undefined ? init : { ...init, body });
    const { status } = answer;
    const location = answer.headers.get('Location') ?? '';
    gone.abort();
    return { status, toLogin: status === 303 && /(?:^|\/)login/.test(location) };
  };

  assert.ok(routes().length > 20);
  const seen = new Set<string>();
  for (const route of routes()) {
    if (OTHERS.has(route)) continue;
    seen.add(route);
    const expected = route.includes(' /api/v1/') ? 'refused' : PAGES[route];
    assert.ok(expected !== undefined, `${route} has no row`);
    // Logging out would end the session that the others are asked with.
    if (expected === 'open') continue;
    for (const headers of [SAME_SITE, forged]) {
      const anonymous = await ask(route, headers);
      assert.equal(anonymous.status, expected === 'refused' ? 401 : 303, `${route} for anybody`);
      assert.equal(anonymous.toLogin, expected === 'login', `${route} for anybody`);
    }
    for (const headers of [session, token]) {
      const known = await ask(route, headers);
      assert.ok(![401, 403].includes(known.status) && !known.toLogin, `${route}: ${known.status}`);
    }
  }
  assert.deepEqual(
    Object.keys(PAGES).filter((route) => !seen.has(route)),
    [],
    'rows of routes that are no more',
  );
});
