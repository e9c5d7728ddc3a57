import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { runCommand } from '../commands/run-command.ts';
import { CA_FILE, passTo, startProxy, startTls } from '../support/way-out.ts';
import { until } from '../support/until.ts';
import { createWorld, SITE, type ExplainView } from '../support/world.ts';

const SPEC = `
name: storefront
repository: ${SITE}
on: { push: { branches: [main] } }
steps: [{ run: 'true' }]
notify: [{ webhook: { url: "https://hooks.test/deployed" } }]
`;
const GITHUB = { GITHUB_API_URL: 'https://forge.test', GITHUB_SERVER_URL: 'https://forge.test' };

/** A GitHub and a receiver that only the proxy leads to, with certificates of our own authority, and a controller. */
async function createFixture(t: TestContext, env: Record<string, string>) {
  let forgeUrl = '';
  const forge = await startTls((request, response) => {
    if (forgeUrl === '') response.writeHead(503).end();
    else passTo(forgeUrl)(request, response);
  });
  const received: string[] = [];
  const receiver = await startTls((request, response) => {
    received.push(request.url ?? '');
    response.end();
  });
  const proxy = await startProxy({ 'forge.test': forge.port, 'hooks.test': receiver.port });
  const world = await createWorld({
    specs: { 'storefront.yaml': SPEC },
    env: { ...GITHUB, HTTPS_PROXY: proxy.url, ...env },
  });
  forgeUrl = world.forge.url;
  t.after(async () => {
    await world.close();
    for (const one of [proxy, forge, receiver]) await one.close();
  });
  return { ...world, proxy, received };
}

test('git, the API and webhooks all go through the proxy, and trust the own authority', async (t) => {
  const { sample, ended, statusOf, received, proxy } = await createFixture(t, {
    MAINSHEET_CA_FILE: CA_FILE,
  });
  const sha = await sample.commit({ message: 'Through the proxy' });
  await sample.push('main');
  const run = await ended(sha);
  assert.equal(run.state, 'succeeded', run.reason);
  await statusOf(sha, 'mainsheet/storefront', 'success');
  await until('the webhook is sent', () => received.length > 0);
  assert.deepEqual([...new Set(proxy.asked)].sort(), [
    'CONNECT forge.test:443',
    'CONNECT hooks.test:443',
  ]);
});

test('a push that cannot be looked at is kept, and explain and doctor say how to mend it', async (t) => {
  const { sample, forge, proxy, controller } = await createFixture(t, {});
  const sha = await sample.commit({ message: 'The server is not trusted' });
  await sample.push('main');
  const { id } = await forge.waitForDelivery(
    ({ body }) => body.includes(`"after":"${sha}"`),
    30_000,
  );
  await until('explain names the certificate', async () => {
    const { summary } = await controller.get<ExplainView>(`/deliveries/${id}/explain`);
    return /^Trying again .*certificate/.test(summary ?? '');
  });

  const env = {
    ...GITHUB,
    MAINSHEET_DEPLOYMENTS: controller.specsDir,
    MAINSHEET_DATA_DIR: controller.dataDir,
    MAINSHEET_URL: controller.url,
    GITHUB_WEBHOOK_SECRET: controller.secret,
    HTTPS_PROXY: proxy.url,
  };
  const wrong = await runCommand(['doctor'], { env });
  assert.equal(wrong.code, 1);
  assert.match(wrong.stdout, /✗ way out: forge\.test cannot be reached.*\n.*MAINSHEET_CA_FILE/);
  assert.match(wrong.stdout, /✗ way out: looking for the default branch.*\n.*MAINSHEET_CA_FILE/);
  const right = await runCommand(['doctor'], { env: { ...env, MAINSHEET_CA_FILE: CA_FILE } });
  assert.match(right.stdout, /✓ way out: forge\.test is reached through the proxy 127\.0\.0\.1/);
  assert.match(right.stdout, /✓ way out: git: forge\.test is reached through the proxy/);
});
