import assert from 'node:assert/strict';
import { createHash, createHmac } from 'node:crypto';
import { test } from 'node:test';
import { startStandIn } from '../github/stand-in.ts';
import { cookieOf } from '../http/pages/browser.ts';
import { beginLogIn, comeBack } from '../http/people.ts';
import { startController } from '../support/controller.ts';

const SPEC = (name: string) =>
  `name: ${name}\nrepository: acme/${name}\nenvironment: production\non: { push: {} }\nsteps: [{ run: make }]\n`;

test('a user logs in through GitHub, sees what they may read there, and no more once an event has told', async (t) => {
  let challenge = '';
  let permission = 'read';
  const github = await startStandIn(
    t,
    ({ method, path, text, headers }) => {
      if (path === '/login/oauth/access_token') {
        const verifier = new URLSearchParams(text).get('code_verifier') ?? '';
        const isRight = createHash('sha256').update(verifier).digest('base64url') === challenge;
        return { status: 200, body: isRight ? { access_token: 'ghu_user' } : { error: 'bad' } };
      }
      if (path === '/user' && headers.authorization === 'Bearer ghu_user') {
        return { status: 200, body: { login: 'Alice', id: 7 } };
      }
      if (method === 'DELETE') return { status: 204 };
      if (path === '/repos/acme/shop/collaborators/alice/permission') {
        return { status: 200, body: { permission, user: { login: 'Alice', id: 7 } } };
      }
      return { status: 404, body: { message: 'Not Found' } };
    },
    { validate: false },
  );
  const controller = await startController({
    forge: { url: github.url, token: 'ghp_token' },
    specs: { 'shop.yaml': SPEC('shop'), 'secret.yaml': SPEC('secret') },
    env: { GITHUB_APP_CLIENT_ID: 'Iv23liSample', GITHUB_APP_CLIENT_SECRET: 'client-secret' },
  });
  t.after(() => controller.remove());

  const { cookie, state, to } = await beginLogIn(controller.url, '?next=specs');
  challenge = to.searchParams.get('code_challenge') ?? '';
  assert.equal(to.origin, github.url);
  assert.equal(
    to.searchParams.get('redirect_uri'),
    'https://mainsheet.example/auth/github/callback',
  );
  const back = await comeBack(controller.url, { code: 'code', state }, cookie);
  assert.deepEqual([back.status, back.headers.get('Location')], [303, '../../specs']);
  assert.ok(
    github.requests.some(({ method, path }) => method === 'DELETE' && path.endsWith('/token')),
    'the token is revoked',
  );

  const Cookie = cookieOf(back);
  const specs = async () => {
    const answer = await fetch(`${controller.url}/api/v1/specs`, { headers: { Cookie } });
    const { items } = (await answer.json()) as { items: { name: string }[] };
    return items.map(({ name }) => name);
  };
  assert.deepEqual(await specs(), ['shop']);
  permission = 'none';
  assert.deepEqual(await specs(), ['shop'], 'what is remembered');
  const body = JSON.stringify({
    action: 'removed',
    member: { login: 'Alice' },
    repository: { id: 1, full_name: 'acme/shop' },
  });
  const signature = createHmac('sha256', controller.secret).update(body).digest('hex');
  const told = await fetch(controller.webhookUrl, {
    method: 'POST',
    headers: {
      'Content-Type': 'application/json',
      'X-GitHub-Event': 'member',
      'X-GitHub-Delivery': 'removed',
      'X-Hub-Signature-256': `sha256=${signature}`,
    },
    body,
  });
  assert.equal(told.status, 202);
  assert.deepEqual(await specs(), []);
});
