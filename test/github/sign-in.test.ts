import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test, type TestContext } from 'node:test';
import { createEmulator } from 'emulate';
import { createSignIn, type SignIn } from '../../src/github/sign-in.ts';
import { MainsheetError, RetryableError } from '../../src/lib/errors.ts';
import { startStandIn, type Received, type Reply } from './stand-in.ts';

const APP = { clientId: 'Iv23liSample', clientSecret: 'client-secret' };
const REDIRECT = 'http://127.0.0.1:3000/auth/github/callback';
const VERIFIER = 'v'.repeat(43);

function signInAt(serverUrl: string, apiUrl = serverUrl, unrevoked: unknown[] = []): SignIn {
  return createSignIn({
    app: APP,
    serverUrl,
    apiUrl,
    userAgent: 'mainsheet/test',
    fetch,
    onUnrevoked: (error) => void unrevoked.push(error),
  });
}

/** A GitHub that gives a token for `code` to those who show the verifier of the challenge that it was asked with. */
async function strictGitHub(t: TestContext, answers: Record<string, Reply> = {}) {
  let challenge = '';
  const server = await startStandIn(
    t,
    (request) => answers[request.path.split('?')[0] ?? ''] ?? answer(request),
    { validate: false },
  );
  function answer({ method, path, text, headers }: Received): Reply {
    if (path === '/login/oauth/access_token') {
      const form = new URLSearchParams(text);
      const shown = createHash('sha256')
        .update(form.get('code_verifier') ?? '')
        .digest('base64url');
      const isRight =
        form.get('code') === 'code' &&
        form.get('client_secret') === APP.clientSecret &&
        form.get('redirect_uri') === REDIRECT &&
        shown === challenge;
      return isRight
        ? { status: 200, body: { access_token: 'ghu_user', token_type: 'bearer' } }
        : { status: 200, body: { error: 'bad_verification_code' } };
    }
    if (path === '/user' && headers.authorization === 'Bearer ghu_user') {
      return { status: 200, body: { login: 'alice', id: 7 } };
    }
    const basic = Buffer.from(`${APP.clientId}:${APP.clientSecret}`).toString('base64');
    const isRevoked =
      method === 'DELETE' &&
      path === `/applications/${APP.clientId}/token` &&
      headers.authorization === `Basic ${basic}` &&
      text === '{"access_token":"ghu_user"}';
    return isRevoked ? { status: 204 } : { status: 404, body: {} };
  }
  const unrevoked: unknown[] = [];
  const signIn = signInAt(server.url, server.url, unrevoked);
  const authorize = () => {
    const url = new URL(
      signIn.authorizeUrl({ state: 'state', verifier: VERIFIER, redirectUrl: REDIRECT }),
    );
    challenge = url.searchParams.get('code_challenge') ?? '';
    return url;
  };
  return { signIn, authorize, server, unrevoked };
}

test('a browser is sent to GitHub with the state and the challenge, and not with the verifier', async (t) => {
  const { authorize } = await strictGitHub(t);
  const url = authorize();
  assert.equal(url.pathname, '/login/oauth/authorize');
  assert.deepEqual(Object.fromEntries(url.searchParams), {
    client_id: APP.clientId,
    state: 'state',
    code_challenge: createHash('sha256').update(VERIFIER).digest('base64url'),
    code_challenge_method: 'S256',
    redirect_uri: REDIRECT,
  });
});

test('the code is exchanged with the verifier, the user is looked up, and their token is revoked', async (t) => {
  const { signIn, authorize, server, unrevoked } = await strictGitHub(t);
  authorize();
  const user = await signIn.userOf({ code: 'code', verifier: VERIFIER, redirectUrl: REDIRECT });
  assert.deepEqual(user, { login: 'alice', id: 7 });
  assert.deepEqual(unrevoked, []);
  assert.deepEqual(
    server.requests.map(({ method, path }) => `${method} ${path}`),
    ['POST /login/oauth/access_token', 'GET /user', `DELETE /applications/${APP.clientId}/token`],
  );
});

test('another code, or another verifier, is refused', async (t) => {
  const { signIn, authorize } = await strictGitHub(t);
  authorize();
  for (const wrong of [{ code: 'other' }, { verifier: 'w'.repeat(43) }]) {
    const answer = { code: 'code', verifier: VERIFIER, redirectUrl: REDIRECT, ...wrong };
    await assert.rejects(
      signIn.userOf(answer),
      (error) => error instanceof MainsheetError && error.code === 'sign-in-refused',
    );
  }
});

test('the token is revoked also when the user could not be looked up, and one that is not revoked stops no log-in', async (t) => {
  const answer = { code: 'code', verifier: VERIFIER, redirectUrl: REDIRECT };
  const away = await strictGitHub(t, { '/user': { status: 502, text: '<html>' } });
  away.authorize();
  await assert.rejects(away.signIn.userOf(answer), RetryableError);
  assert.equal(away.server.requests.at(-1)?.method, 'DELETE');

  const kept = await strictGitHub(t, { [`/applications/${APP.clientId}/token`]: { status: 500 } });
  kept.authorize();
  assert.equal((await kept.signIn.userOf(answer)).login, 'alice');
  assert.equal(kept.unrevoked.length, 1);
});

for (const [what, reply] of [
  ['a page in the place of JSON', { status: 200, text: '<html>' }],
  ['JSON that is neither a token nor an error', { status: 200, body: [] }],
  ['a rate limit', { status: 429, body: {} }],
  ['a connection that breaks', 'reset'],
] as const) {
  test(`${what} is no answer, and may be tried again`, async (t) => {
    const { signIn } = await strictGitHub(t, { '/login/oauth/access_token': reply });
    const answer = { code: 'code', verifier: VERIFIER, redirectUrl: REDIRECT };
    await assert.rejects(signIn.userOf(answer), RetryableError);
  });
}

test('a user logs in through the web flow of a GitHub that was written by others', async (t) => {
  const emulator = await createEmulator({
    service: 'github',
    port: 0,
    seed: {
      github: {
        users: [{ login: 'alice' }],
        oauth_apps: [
          {
            client_id: APP.clientId,
            client_secret: APP.clientSecret,
            name: 'Mainsheet',
            redirect_uris: [REDIRECT],
          },
        ],
      },
    },
  });
  t.after(() => emulator.close());
  const url = `http://127.0.0.1:${new URL(emulator.url).port}`;
  const signIn = signInAt(url);
  const there = signIn.authorizeUrl({ state: 's', verifier: VERIFIER, redirectUrl: REDIRECT });
  const page = await (await fetch(there)).text();
  // The button of the user, as a browser would send its form.
  const forms = [...page.matchAll(/<form[^>]*action="([^"]*)"[^>]*>([^]*?)<\/form>/g)];
  const form = forms.find(([, , inner]) => inner?.includes('value="alice"'));
  assert.ok(form, page.slice(0, 2000));
  const fields = [...(form[2] ?? '').matchAll(/name="([^"]*)"[^>]*value="([^"]*)"/g)].map(
    ([, name = '', value = '']): [string, string] => [name, value.replaceAll('&amp;', '&')],
  );
  const back = await fetch(new URL(form[1] ?? '', url), {
    method: 'POST',
    body: new URLSearchParams(fields),
    redirect: 'manual',
  });
  const location = new URL(back.headers.get('Location') ?? '');
  assert.equal(location.searchParams.get('state'), 's');
  assert.equal(location.origin + location.pathname, REDIRECT);
  const code = location.searchParams.get('code') ?? '';
  const user = await signIn.userOf({ code, verifier: VERIFIER, redirectUrl: REDIRECT });
  assert.equal(user.login, 'alice');
  assert.ok(user.id > 0);
});
