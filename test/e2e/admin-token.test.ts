import assert from 'node:assert/strict';
import { stat } from 'node:fs/promises';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { runCommand } from '../commands/run-command.ts';
import { rawRequest } from '../http/raw.ts';
import { startController } from '../support/controller.ts';
import { deafUrl } from '../support/deaf.ts';

async function startWithout(t: TestContext) {
  const controller = await startController({
    forge: { url: await deafUrl(), token: 'unused' },
    specs: {},
    env: { MAINSHEET_ADMIN_TOKEN: '' },
  });
  t.after(() => controller.remove());
  const env = {
    MAINSHEET_URL: controller.url,
    MAINSHEET_ADMIN_TOKEN: '',
    MAINSHEET_DATA_DIR: controller.dataDir,
  };
  return { controller, env };
}

test('without a token one is made for its user alone, which the command line finds by itself and the next start keeps', async (t) => {
  const { controller, env } = await startWithout(t);
  const file = join(controller.dataDir, 'admin-token');
  await controller.logged({ file });
  assert.equal((await stat(file)).mode & 0o777, 0o600);
  assert.ok(controller.token.length >= 32);
  assert.doesNotMatch(JSON.stringify(controller.log), new RegExp(controller.token));

  assert.equal((await runCommand(['runs'], { env })).code, 0);
  const elsewhere = await runCommand(['runs'], {
    env: { ...env, MAINSHEET_DATA_DIR: '/nonexistent' },
  });
  assert.equal(elsewhere.code, 3);
  assert.match(elsewhere.stderr, /hint: set MAINSHEET_ADMIN_TOKEN .*MAINSHEET_DATA_DIR/);
  assert.doesNotMatch(elsewhere.stderr, /Authorization/);

  const { token } = controller;
  await controller.kill();
  await controller.restart();
  assert.equal(controller.token, token);
});

test('neither this machine nor a proxy on it opens anything but health and metrics', async (t) => {
  const { controller } = await startWithout(t);
  const { port } = new URL(controller.url);
  const proxy = await proxyTo(t, port);
  const ask = async (to: number, path: string) =>
    (await rawRequest(to, `GET ${path} HTTP/1.0\r\nHost: 127.0.0.1:${port}\r\n\r\n`)).status;
  for (const to of [Number(port), proxy]) {
    for (const path of ['/healthz', '/readyz', '/metrics']) assert.equal(await ask(to, path), 200);
    for (const path of [
      '/api/v1/runs',
      '/api/v1/events',
      '/api/v1/openapi.json',
      '/API/v1/specs',
    ]) {
      assert.equal(await ask(to, path), 401, path);
    }
  }
});

/** Passes requests on as nginx does by default: as its own, to the address in `proxy_pass`, without a word of the client. */
async function proxyTo(t: TestContext, port: string): Promise<number> {
  const proxy = createServer((incoming, answer) => {
    const headers = { host: `127.0.0.1:${port}`, connection: 'close' };
    const { method, url: path } = incoming;
    request({ host: '127.0.0.1', port, method, path, headers }, (response) => {
      answer.writeHead(response.statusCode ?? 0);
      response.pipe(answer);
    }).end();
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  t.after(() => proxy.close());
  return (proxy.address() as AddressInfo).port;
}
