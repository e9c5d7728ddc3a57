import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { test, type TestContext } from 'node:test';
import { runCommand } from '../commands/run-command.ts';
import { until } from '../support/until.ts';
import { createWorld, SITE } from '../support/world.ts';

const FORMER = 'acme/former';
const SPEC = `
name: storefront
repository: ${FORMER}
on: { push: { branches: [main] } }
steps: [{ run: 'true' }]
`;

/** A GitHub on which the forge's repository was called otherwise before, and that answers as GitHub does then. */
async function startGitHub(t: TestContext) {
  let forge = '';
  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = 'GET', url = '/', headers } = request;
    const body = await buffer(request);
    const renamed = url.replace(FORMER, SITE);
    if (forge === '') return void response.writeHead(503).end();
    if (renamed !== url) return void response.writeHead(301, { location: renamed }).end();
    if (url.endsWith('/access_tokens') && body.includes('"former"')) {
      const message = 'There is at least one repository that does not exist';
      return void response.writeHead(422).end(JSON.stringify({ message }));
    }
    const { host: _host, connection: _connection, ...rest } = headers;
    const plain = Object.fromEntries(
      Object.entries(rest).flatMap(([name, value]) =>
        typeof value === 'string' && name !== 'transfer-encoding' ? [[name, value]] : [],
      ),
    );
    const reply = await fetch(forge + url, {
      method,
      headers: plain,
      redirect: 'manual',
      ...(body.length === 0 ? {} : { body }),
    });
    const type = reply.headers.get('content-type');
    const challenge = reply.headers.get('www-authenticate');
    response.writeHead(reply.status, {
      ...(type === null ? {} : { 'content-type': type }),
      ...(challenge === null ? {} : { 'www-authenticate': challenge }),
    });
    response.end(Buffer.from(await reply.arrayBuffer()));
  }
  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = () => {
    server.close();
    server.closeAllConnections();
  };
  t.after(close);
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url, close, leadTo: (to: string) => (forge = to) };
}

test('a spec that names a repository as it was called before deploys on, found by looking and by webhooks, and explain and doctor say so', async (t) => {
  const github = await startGitHub(t);
  const env = {
    GITHUB_API_URL: github.url,
    GITHUB_SERVER_URL: github.url,
    MAINSHEET_RECONCILE_INTERVAL: '300ms',
    LOG_LEVEL: 'debug',
  };
  const world = await createWorld({
    specs: { 'storefront.yaml': SPEC },
    credentials: 'app',
    forge: { app: true, privateRepositories: true },
    env,
  });
  t.after(() => world.close());
  github.leadTo(world.forge.url);
  const looks = () => world.controller.log.filter(({ msg }) => msg === 'branches looked at').length;
  const before = looks();
  await until('a whole look with GitHub there', () => looks() >= before + 2);
  const { sha } = await world.pushUnheard('main', 'Not told');
  const found = await world.ended(sha);
  assert.deepEqual([found.state, found.sha], ['succeeded', sha]);

  const heard = await world.sample.commit({ message: 'The webhook tells of this' });
  await world.sample.push('main');
  assert.equal((await world.ended(heard)).state, 'succeeded');
  await world.statusOf(heard, 'mainsheet/storefront', 'success');
  const [run, ...others] = await world.runs(`&sha=${heard}`);
  assert.deepEqual(others, []);
  // A look may have found it before the webhook told.
  const { specs } = await world.explained(run?.delivery ?? '');
  const reason = specs[0]?.reasons.find(({ condition }) => condition === 'repository');
  assert.match(reason?.detail ?? '', /acme\/storefront, which is the spec's acme\/former renamed/);

  const { appId = '', privateKey = '' } = world.forge;
  const { stdout } = await runCommand(['doctor'], {
    env: {
      ...env,
      GITHUB_APP_ID: appId,
      GITHUB_APP_PRIVATE_KEY: privateKey,
      GITHUB_WEBHOOK_SECRET: world.controller.secret,
      MAINSHEET_URL: world.controller.url,
      MAINSHEET_DATA_DIR: world.controller.dataDir,
      MAINSHEET_DEPLOYMENTS: world.controller.specsDir,
    },
  });
  assert.match(stdout, /! repository: acme\/former was renamed: it is acme\/storefront now/);
});
