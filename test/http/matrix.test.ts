import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ADMIN_TOKEN } from '../support/admin.ts';
import { sampleRun } from '../store/samples.ts';
import { startHttp } from './fixture.ts';
import { logIn, SAME_SITE } from './pages/browser.ts';
import { logInAs, peopleWith } from './people.ts';
import { addMadeHook, fillTwo, HOOKS, pathWith } from './two-repositories.ts';

/**
 * Who may: everyone (`open`); all who are logged in, of what they see (`list`); those with that permission on the repository
 * (`read`, `write`, `admin`); or those who may do everything (`all`), of which others learn that (`all`) or nothing (`hidden`).
 */
type Right = 'open' | 'list' | 'read' | 'write' | 'admin' | 'all' | 'hidden';

const RIGHTS: Record<string, Right> = {
  'GET /': 'list',
  'GET /live': 'list',
  'GET /runs': 'list',
  'GET /deliveries': 'list',
  'GET /deliveries/:id': 'read',
  'GET /deliveries/:id/replay': 'write',
  'POST /deliveries/:id/replay': 'write',
  'GET /specs': 'list',
  'GET /specs/:name': 'read',
  'GET /specs/:name/history': 'read',
  'GET /specs/:name/try': 'read',
  'POST /specs/:name/try': 'read',
  'GET /specs/:name/backtest': 'read',
  'GET /specs/:name/backtest/progress': 'read',
  'POST /specs/:name/backtest': 'read',
  'GET /specs/:name/pause': 'admin',
  'POST /specs/:name/pause': 'admin',
  'GET /specs/:name/resume': 'admin',
  'POST /specs/:name/resume': 'admin',
  'GET /lanes/:name/pause': 'admin',
  'POST /lanes/:name/pause': 'admin',
  'GET /lanes/:name/resume': 'admin',
  'POST /lanes/:name/resume': 'admin',
  'GET /specs/:name/deploy': 'write',
  'POST /specs/:name/deploy': 'write',
  'GET /callbacks': 'list',
  'GET /callbacks/resend': 'hidden',
  'POST /callbacks/resend': 'hidden',
  'GET /callbacks/:id': 'read',
  'POST /callbacks/:id/resend': 'write',
  'GET /insights': 'list',
  'GET /activity': 'list',
  'GET /why': 'list',
  'GET /automation': 'list',
  'GET /hooks': 'list',
  'GET /hooks/:id': 'hidden',
  'POST /hooks/:id/try': 'hidden',
  'GET /settings': 'hidden',
  'POST /settings/check': 'hidden',
  'GET /runs/:id': 'read',
  'GET /runs/:id/log': 'read',
  'GET /runs/:id/log.txt': 'read',
  'GET /runs/:id/log/:step': 'read',
  'GET /runs/:id/cancel': 'write',
  'GET /runs/:id/retry': 'write',
  'GET /runs/:id/rollback': 'write',
  'GET /runs/:id/approve': 'write',
  'POST /runs/:id/approve': 'write',
  'GET /runs/:id/reject': 'write',
  'POST /runs/:id/reject': 'write',
  'GET /runs/:id/override': 'admin',
  'POST /runs/:id/override': 'admin',
  'POST /runs/:id/cancel': 'write',
  'POST /runs/:id/retry': 'write',
  'POST /runs/:id/rollback': 'write',
  'GET /badge/:spec.svg': 'open',
  'GET /login': 'open',
  'POST /login': 'open',
  'GET /auth/github': 'open',
  'GET /auth/github/callback': 'open',
  'POST /logout': 'open',
  'POST /theme': 'open',
  'GET /api/v1/hooks': 'list',
  'POST /api/v1/hooks': 'all',
  'GET /api/v1/hooks/:id': 'hidden',
  'GET /api/v1/settings': 'all',
  'POST /api/v1/settings/check': 'all',
  'POST /api/v1/hooks/:id/rotate': 'all',
  'POST /api/v1/hooks/:id/test': 'all',
  'DELETE /api/v1/hooks/:id': 'all',
  'GET /api/v1/deliveries': 'list',
  'GET /api/v1/deliveries/:id': 'read',
  'GET /api/v1/deliveries/:id/explain': 'read',
  'POST /api/v1/deliveries/:id/replay': 'write',
  'GET /api/v1/runs': 'list',
  'GET /api/v1/runs/:id': 'read',
  'GET /api/v1/runs/:id/log': 'read',
  'POST /api/v1/runs/:id/cancel': 'write',
  'POST /api/v1/runs/:id/retry': 'write',
  'POST /api/v1/runs/:id/rollback': 'write',
  'POST /api/v1/runs/:id/approve': 'write',
  'POST /api/v1/runs/:id/reject': 'write',
  'POST /api/v1/runs/:id/override': 'admin',
  'POST /api/v1/specs/:name/deploy': 'write',
  'POST /api/v1/specs/:name/rollback': 'write',
  'POST /api/v1/specs/:name/try': 'read',
  'POST /api/v1/specs/:name/pause': 'admin',
  'POST /api/v1/specs/:name/resume': 'admin',
  'POST /api/v1/lanes/:lane/pause': 'admin',
  'POST /api/v1/lanes/:lane/resume': 'admin',
  'GET /api/v1/pauses': 'list',
  'GET /api/v1/specs': 'list',
  'GET /api/v1/overview': 'list',
  'GET /api/v1/automation': 'list',
  'GET /api/v1/previews': 'list',
  'GET /api/v1/environments': 'list',
  'GET /api/v1/environments/:spec/history': 'read',
  'GET /api/v1/audit': 'list',
  'GET /api/v1/outbox': 'list',
  'GET /api/v1/outbox/:id': 'read',
  'POST /api/v1/outbox/retry': 'all',
  'POST /api/v1/outbox/:id/retry': 'write',
  'GET /api/v1/events': 'list',
  'GET /api/v1/why': 'list',
  'GET /api/v1/ask': 'list',
  'GET /api/v1/insights': 'list',
  'POST /api/v1/backtest': 'list',
  'POST /api/v1/login-links': 'all',
  'GET /api/v1/openapi.json': 'list',
};

/** What open routes answer those who are not logged in, and those who are. */
const OPEN: Record<string, readonly [stranger: number, others: number]> = {
  'GET /badge/:spec.svg': [404, 404],
  'GET /login': [200, 303],
  // Without the token.
  'POST /login': [403, 403],
  // To GitHub; back from there without what began in this browser.
  'GET /auth/github': [303, 303],
  'GET /auth/github/callback': [400, 400],
  'POST /logout': [303, 303],
  'POST /theme': [303, 303],
};

/** What is neither a page nor of the API: each says by itself who may. */
const OTHERS = new Set(['GET /healthz', 'GET /readyz', 'GET /metrics']);

const BODIES: Record<string, object> = {
  'POST /api/v1/hooks': { hook: 'alerts', owner: 'a' },
  'POST /api/v1/hooks/:id/test': {},
  'POST /api/v1/backtest': { specs: [] },
  'POST /api/v1/specs/:name/try': { event: 'push', ref: 'main' },
};

const WHY = '?repository=acme/storefront&sha=aaaaaaa';
const QUERIES: Record<string, string> = {
  '/why': WHY,
  '/api/v1/why': WHY,
  '/api/v1/ask': '?q=aaaaaaa',
};

const PEOPLE = ['none', 'read', 'write', 'admin'] as const;

/** The status of a refusal; undefined where the person may. */
function refusal(right: Right, person: (typeof PEOPLE)[number] | 'everything'): number | undefined {
  if (person === 'everything' || right === 'list') return undefined;
  if (right === 'all') return 403;
  if (right === 'hidden') return 404;
  if (person === 'none') return 404;
  return PEOPLE.indexOf(person) < PEOPLE.indexOf(right as never) ? 403 : undefined;
}

test('each route answers those who may ask, and a route without a row in this table fails', async (t) => {
  const rights = PEOPLE.map((person) => [person, { 'acme/storefront': person }] as const);
  const { url, routes, store, specs } = await startHttp(t, {
    hooks: HOOKS,
    trustedProxies: ['127.0.0.1'],
    people: peopleWith(Object.fromEntries([...rights, ['boss', {}]]), {
      admins: [{ login: 'Boss' }],
    }),
    intake: {
      replay: async () => ({ outcome: { summary: '', specs: [] }, runs: [] }),
    },
    operate: {
      rollbackSpec: async () => ({ run: { ...sampleRun('back'), sequence: 1 }, pause: undefined }),
    },
  });
  const { open } = await fillTwo(store, specs);
  const session = async (cookie: Promise<string>) => ({ Cookie: await cookie, ...SAME_SITE });
  const form = { 'Content-Type': SAME_SITE['Content-Type'] };
  const bearer = (token: string) => ({ Authorization: `Bearer ${token}`, ...form });
  const everything = [
    bearer(ADMIN_TOKEN),
    await session(logIn(url)),
    await session(logInAs(url, 'boss')),
  ];
  const strangers = [
    SAME_SITE,
    bearer('wrong'),
    { Cookie: `mainsheet=${'A'.repeat(43)}.${'A'.repeat(43)}`, ...SAME_SITE },
  ];

  let asked = 0;
  const ask = async (route: string, headers: Record<string, string>) => {
    // Of one address with many wrong tokens nothing more is looked at.
    asked += 1;
    const [method = '', path = ''] = route.split(' ');
    const gone = new AbortController();
    const body = method === 'GET' ? {} : { body: JSON.stringify(BODIES[route] ?? {}) };
    const type = BODIES[route] === undefined ? {} : { 'Content-Type': 'application/json' };
    const query = QUERIES[path] ?? '';
    const answer = await fetch(url + pathWith(path, open) + query, {
      method,
      headers: { ...headers, ...type, 'X-Forwarded-For': `2001:db8:0:${asked}::1` },
      redirect: 'manual',
      signal: gone.signal,
      ...body,
    });
    const { status } = answer;
    const isPublic = path.startsWith('/badge/') && status === 200;
    if (!isPublic) assert.equal(answer.headers.get('Cache-Control'), 'no-store', route);
    assert.equal(answer.headers.get('X-Content-Type-Options'), 'nosniff', route);
    const policy = answer.headers.get('Content-Security-Policy') ?? '';
    assert.ok(path.startsWith('/badge/') || /frame-ancestors 'none'/.test(policy), route);
    const location = answer.headers.get('Location') ?? '';
    gone.abort();
    return { status, toLogin: status === 303 && /(?:^|\/)login/.test(location) };
  };

  const cookies = new Map<string, Promise<string>>();
  for (const [headers, status] of [
    [{}, 401],
    [await session(logInAs(url, 'admin')), 401],
    [bearer(ADMIN_TOKEN), 200],
  ] as const) {
    assert.equal((await fetch(`${url}/metrics`, { headers })).status, status, 'metrics');
  }

  const refused = (status: number) => [401, 403, 404].includes(status);
  const seen = new Set<string>();
  // A hook is there until it is deleted.
  const ordered = routes().toSorted(
    (a, b) => Number(a.startsWith('DELETE')) - Number(b.startsWith('DELETE')),
  );
  assert.ok(ordered.length > 20);
  for (const route of ordered) {
    if (OTHERS.has(route)) continue;
    seen.add(route);
    const right = RIGHTS[route];
    assert.ok(right !== undefined, `${route} has no row`);
    if (!route.startsWith('GET ')) {
      const other = { ...(await session(cookieFor('admin'))), 'Sec-Fetch-Site': 'cross-site' };
      assert.equal((await ask(route, other)).status, 403, `${route} from another site`);
    }
    if (right === 'open') {
      // Logging out ends the session that it is asked with.
      const isLogOut = route === 'POST /logout';
      const logged = PEOPLE.map((person) => (isLogOut ? logInAs(url, person) : cookieFor(person)));
      const others: Record<string, string>[] = [bearer(ADMIN_TOKEN)];
      for (const cookie of [...logged, logIn(url)]) others.push(await session(cookie));
      for (const [at, asking] of [strangers, others].entries()) {
        for (const headers of asking) {
          const { status } = await ask(route, headers);
          assert.equal(status, OPEN[route]?.[at], `${route}: ${JSON.stringify(headers)}`);
        }
      }
      continue;
    }
    const isApi = route.includes(' /api/v1/');
    for (const headers of strangers) {
      const answer = await ask(route, headers);
      assert.equal(answer.status, isApi ? 401 : 303, `${route} without rights`);
      assert.equal(answer.toLogin, !isApi, `${route} without rights`);
    }
    for (const person of PEOPLE) {
      const { status, toLogin } = await ask(route, await session(cookieFor(person)));
      const expected = refusal(right, person);
      assert.equal(
        refused(status) ? status : undefined,
        expected,
        `${route} for ${person}: ${status}`,
      );
      assert.ok(!toLogin, `${route} for ${person}`);
      if (expected === undefined) assert.ok(status < 400, `${route} for ${person}: ${status}`);
    }
    for (const headers of everything) {
      const { status, toLogin } = await ask(route, headers);
      // The one who holds the admin token makes them, and no other administrator.
      const isOfToken = route === 'POST /api/v1/login-links' && headers === everything.at(-1);
      assert.ok(isOfToken ? status === 403 : status < 400, `${route}: ${status}`);
      assert.ok(!toLogin, route);
      if (route === 'DELETE /api/v1/hooks/:id') await addMadeHook(store);
    }
  }
  assert.deepEqual(
    Object.keys(RIGHTS).filter((route) => !seen.has(route)),
    [],
    'rows of routes that are no more',
  );

  async function cookieFor(person: string): Promise<string> {
    const known = cookies.get(person) ?? logInAs(url, person);
    cookies.set(person, known);
    return await known;
  }
});
