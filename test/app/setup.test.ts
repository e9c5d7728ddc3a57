import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import type { RestEndpointMethodTypes } from '@octokit/rest';
import { runSetup } from '../../src/app/setup.ts';
import { readConfig } from '../../src/config.ts';
import type { Manifest } from '../../src/github/manifest.ts';
import { silentLogger } from '../../src/lib/logger.ts';

type Made = RestEndpointMethodTypes['apps']['createFromManifest']['response']['data'];

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const PEM = privateKey.export({ type: 'pkcs1', format: 'pem' }).toString();
const SECRET = 'a-webhook-secret-that-github-has-made';

/** https://docs.github.com/en/rest/apps/apps#create-a-github-app-from-a-manifest */
const MADE: Pick<
  Made,
  'id' | 'slug' | 'name' | 'client_id' | 'client_secret' | 'webhook_secret' | 'pem' | 'html_url'
> = {
  id: 4711,
  slug: 'mainsheet-acme',
  name: 'Mainsheet acme',
  client_id: 'Iv1.8a61f9b3a7aba766',
  client_secret: '1726be1638095a19edd134c77bde3aa2ece1e5d8',
  webhook_secret: SECRET,
  pem: PEM,
  html_url: 'https://github.com/apps/mainsheet-acme',
};

/** GitHub's API, as far as it is asked: each code serves once. */
async function startGitHub(t: TestContext): Promise<string> {
  const codes = new Set(['the-code']);
  const server = createServer((request, response) => {
    const code = /^\/app-manifests\/([^/]+)\/conversions$/.exec(request.url ?? '')?.[1] ?? '';
    const isKnown = request.method === 'POST' && codes.delete(code);
    response.writeHead(isKnown ? 201 : 404, { 'Content-Type': 'application/json' });
    response.end(JSON.stringify(isKnown ? MADE : { message: 'Not Found' }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function configOf(env: Record<string, string>) {
  const read = readConfig(env, { isTerminal: false, setup: true });
  assert.ok('config' in read, 'problems' in read ? read.problems.join('\n') : '');
  return read.config;
}

async function setUp(t: TestContext, more: Record<string, string> = {}) {
  const directory = await mkdtemp(join(tmpdir(), 'mainsheet-setup-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const env = {
    PORT: '0',
    MAINSHEET_DATA_DIR: join(directory, 'data'),
    GITHUB_API_URL: await startGitHub(t),
    ...more,
  };
  const config = configOf(env);
  assert.equal(config.needsSetup, true);
  const stop = new AbortController();
  const { promise: printed, resolve: print } = Promise.withResolvers<string>();
  const ended = runSetup({
    config,
    version: '1.2.3',
    logger: silentLogger,
    print,
    signal: stop.signal,
  });
  t.after(async () => {
    stop.abort();
    await ended;
  });
  const link = new URL((await printed).replace('Set up the GitHub App: ', ''));
  const ask = (path: string, cookie = '') =>
    fetch(new URL(path, link), { redirect: 'manual', headers: { Cookie: cookie } });
  return {
    env,
    link,
    ended,
    ask,
    file: join(env.MAINSHEET_DATA_DIR, 'github-app.json'),
    /** Opens the link, as the person's browser. */
    async open() {
      const response = await ask(link.href);
      assert.equal(response.status, 302);
      const [cookie = ''] = response.headers.getSetCookie();
      assert.match(cookie, /; httponly/i);
      return cookie.split(';')[0] ?? '';
    },
    /** The button of the page: where it leads, and with what. */
    async button(cookie: string, query = '') {
      const response = await ask(`/setup${query}`, cookie);
      assert.equal(response.status, 200);
      assert.match(response.headers.get('Content-Security-Policy') ?? '', /default-src 'none'/);
      const page = await response.text();
      const action = new URL(/<form method="post" action="([^"]+)"/.exec(page)?.[1] ?? '');
      const text = /name="manifest" value="([^"]+)"/.exec(page)?.[1] ?? '';
      const manifest = JSON.parse(text.replaceAll('&quot;', '"')) as Manifest;
      return { action, manifest, state: action.searchParams.get('state') ?? '' };
    },
  };
}

test('one button makes the App, its keys come back, and the next start has them', async (t) => {
  const { env, open, button, ask, ended, file, link } = await setUp(t);
  const cookie = await open();
  const { action, manifest, state } = await button(cookie);
  assert.equal(action.origin + action.pathname, 'https://github.com/settings/apps/new');
  assert.equal(manifest.hook_attributes.url, `${link.origin}/webhooks/v1/github`);
  assert.equal(manifest.redirect_url, `${link.origin}/setup/callback`);

  const back = await ask(`/setup/callback?code=the-code&state=${state}`, cookie);
  assert.equal(back.status, 200);
  const page = await back.text();
  assert.match(page, /https:\/\/github\.com\/apps\/mainsheet-acme\/installations\/new/);
  assert.ok(!page.includes('PRIVATE KEY') && !page.includes(SECRET));
  await ended;
  assert.equal((await stat(file)).mode & 0o777, 0o600);
  const config = configOf(env);
  assert.equal(config.needsSetup, false);
  assert.deepEqual(config.webhookSecrets, [SECRET]);
  assert.ok(config.github.auth?.kind === 'app');
  assert.equal(config.github.auth.appId, '4711');
  assert.equal(config.github.auth.privateKey, PEM);
  assert.ok(!JSON.stringify(config).includes(SECRET));
});

test('only the browser that has used the printed link may go on, and the link works once', async (t) => {
  const { open, button, ask, link, file } = await setUp(t);
  for (const path of ['/setup', '/setup?token=guessed', '/setup/callback?code=the-code&state=x']) {
    assert.equal((await ask(path)).status, 403, path);
  }
  const cookie = await open();
  assert.equal((await ask(link.href)).status, 403, 'another browser with the same link');
  const { state } = await button(cookie);
  const callback = `/setup/callback?code=the-code&state=${state}`;
  assert.equal((await ask(callback)).status, 403);
  assert.equal((await ask(callback, 'mainsheet-setup=guessed')).status, 403);
  const forged = await ask('/setup/callback?code=the-code&state=forged', cookie);
  assert.equal(forged.status, 400);
  await assert.rejects(stat(file), { code: 'ENOENT' });
});

test('deliveries that come before there is an App are told to come again', async (t) => {
  const { link } = await setUp(t);
  const response = await fetch(new URL('/webhooks/v1/github', link), {
    method: 'POST',
    body: '{}',
  });
  assert.equal(response.status, 503);
  assert.equal(response.headers.get('Retry-After'), '60');
  assert.equal((await fetch(new URL('/healthz', link))).status, 200);
});

test('an organization, another address and write access for hubs and workflows are asked for in the address', async (t) => {
  const { open, button, ask } = await setUp(t, { GITHUB_SERVER_URL: 'https://ghe.acme.example' });
  const cookie = await open();
  const query =
    '?owner=acme&hubs=on&workflows=on&name=Ship%22it&url=https%3A%2F%2Fship.acme.example%2Fhooks%2F';
  const { action, manifest } = await button(cookie, query);
  assert.equal(
    action.origin + action.pathname,
    'https://ghe.acme.example/organizations/acme/settings/apps/new',
  );
  assert.equal(manifest.name, 'Ship"it');
  assert.equal(manifest.hook_attributes.url, 'https://ship.acme.example/hooks/webhooks/v1/github');
  assert.equal(manifest.default_permissions['contents'], 'write');
  assert.equal(manifest.default_permissions['actions'], 'write');
  assert.equal((await ask('/setup?owner=../x', cookie)).status, 400);
  assert.equal((await ask('/setup?url=javascript:alert(1)', cookie)).status, 400);
});

test('for a cluster the keys are shown once as a Secret, and not kept', async (t) => {
  const { open, button, ask, file } = await setUp(t);
  const cookie = await open();
  const { state } = await button(cookie, '?keep=kubernetes');
  const page = await (await ask(`/setup/callback?code=the-code&state=${state}`, cookie)).text();
  const value = (key: string) =>
    Buffer.from(new RegExp(`  ${key}: (\\S+)`).exec(page)?.[1] ?? '', 'base64').toString();
  assert.equal(value('app-id'), '4711');
  assert.equal(value('private-key'), PEM);
  assert.equal(value('webhook-secret'), SECRET);
  await assert.rejects(stat(file), { code: 'ENOENT' });
  const again = await ask(`/setup/callback?code=the-code&state=${state}`, cookie);
  assert.equal(again.status, 400, 'what GitHub has given out serves once');
});

test('a misspelt variable is to be mended before an App is set up, and what other programs hear is no reason to wait', () => {
  const mayBegin = (env: Record<string, string>) => {
    const none = join(tmpdir(), 'mainsheet-of-no-one');
    const read = readConfig(
      { MAINSHEET_DATA_DIR: none, ...env },
      { isTerminal: false, setup: true },
    );
    return 'config' in read && read.config.needsSetup;
  };
  assert.equal(mayBegin({ NODE_EXTRA_CA_CERTS: '/etc/ssl/company.pem' }), true);
  assert.equal(mayBegin({ MAINSHEET_DEPLOYMENT: 'specs' }), false);
});

test('with a session key what is kept cannot be read without it, and keys can be changed', async (t) => {
  const [old, key] = ['o'.repeat(32), 'k'.repeat(32)];
  const { env, open, button, ask, ended, file } = await setUp(t, { MAINSHEET_SESSION_KEY: old });
  const cookie = await open();
  const { state } = await button(cookie);
  assert.equal((await ask(`/setup/callback?code=the-code&state=${state}`, cookie)).status, 200);
  await ended;
  assert.doesNotMatch(await readFile(file, 'utf8'), /PRIVATE KEY|"4711"/);
  const both = configOf({ ...env, MAINSHEET_SESSION_KEY: `${key}\n${old}` });
  assert.deepEqual(both.webhookSecrets, [SECRET]);
  const without = readConfig(
    { ...env, MAINSHEET_SESSION_KEY: key },
    { isTerminal: false, setup: true },
  );
  assert.ok('problems' in without);
  assert.match(without.problems.join('\n'), /GitHub App cannot be used: .*none of the keys/);
});
