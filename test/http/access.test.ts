import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { test } from 'node:test';
import type { Context } from 'koa';
import { access } from '../../src/http/access.ts';
import { sampleRun } from '../store/samples.ts';
import { startHttp } from './fixture.ts';
import { rawRequest } from './raw.ts';

/** Unlike `fetch` it sends whatever Host it is told to. */
async function get(
  port: number,
  path: string,
  headers: Record<string, string>,
): Promise<{ status: number; headers: IncomingMessage['headers']; body: string }> {
  const sent = request({ port, host: '127.0.0.1', path, headers }).end();
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  let body = '';
  for await (const chunk of response.setEncoding('utf8')) body += String(chunk);
  return { status: response.statusCode ?? 0, headers: response.headers, body };
}

const codeOf = (body: string) => (JSON.parse(body) as { code: string }).code;

test('without a token programs on this machine may use the API', async (t) => {
  const { port } = await startHttp(t);
  for (const host of [
    `127.0.0.1:${port}`,
    `localhost:${port}`,
    'localhost',
    '127.0.0.2',
    '[::1]:1',
  ]) {
    assert.equal((await get(port, '/api/v1/runs', { Host: host })).status, 200, host);
  }
});

test('without a token a page of another site may not, whatever name it found for this machine', async (t) => {
  const { port } = await startHttp(t);
  const hosts = [
    'evil.example',
    `evil.example:${port}`,
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    'localhost@evil.example',
    '10.0.0.7',
    '0.0.0.0',
    '[fe80::1]',
  ];
  for (const host of hosts) {
    const answer = await get(port, '/api/v1/runs', { Host: host });
    assert.equal(answer.status, 403, host);
    assert.equal(codeOf(answer.body), 'loopback-only');
  }
  for (const lines of ['HTTP/1.1\r\nHost: \r\nConnection: close', 'HTTP/1.0']) {
    const answer = await rawRequest(port, `GET /api/v1/runs ${lines}\r\n\r\n`);
    assert.equal(answer.status, 403, lines);
  }
});

test('without a token a browser may use the API from its own pages only', async (t) => {
  const { port, url } = await startHttp(t);
  assert.equal((await get(port, '/api/v1/runs', { Origin: url })).status, 200);
  const origins = [
    'https://evil.example',
    'null',
    'file://',
    'http://localhost.evil.example',
    // Another program's page on the same machine is another site too.
    `http://127.0.0.1:${port + 1}`,
    `https://127.0.0.1:${port}`,
    'http://localhost',
  ];
  for (const origin of origins) {
    assert.equal((await get(port, '/api/v1/runs', { Origin: origin })).status, 403, origin);
  }
});

test('without a token what a proxy passed on does not come from this machine', async (t) => {
  const { port } = await startHttp(t);
  for (const name of ['X-Forwarded-For', 'X-Real-IP', 'Forwarded']) {
    assert.equal((await get(port, '/api/v1/runs', { [name]: '127.0.0.1' })).status, 403, name);
  }
});

test('without a token only a connection from this machine counts, not what it says of itself', async () => {
  const status = async (remoteAddress: string | undefined) => {
    const ctx = { req: { socket: { remoteAddress } }, host: 'localhost', state: {}, get: () => '' };
    try {
      await access(undefined)(ctx as unknown as Context, async () => undefined);
      return 200;
    } catch (error) {
      return (error as { status: number }).status;
    }
  };
  for (const near of ['127.0.0.1', '127.8.9.1', '::1', '::ffff:127.0.0.1']) {
    assert.equal(await status(near), 200, near);
  }
  for (const far of ['10.0.0.7', '128.0.0.1', '::ffff:10.0.0.7', 'fe80::1', '', undefined]) {
    assert.equal(await status(far), 403, far);
  }
});

test('with a token only who has it may use the API, from anywhere', async (t) => {
  const { port } = await startHttp(t, { adminToken: 'right-token' });
  const as = (authorization: string, more: Record<string, string> = {}) =>
    get(port, '/api/v1/runs', { Authorization: authorization, ...more });
  assert.equal((await as('Bearer right-token')).status, 200);
  assert.equal((await as('bearer right-token')).status, 200);
  const far = {
    Host: 'mainsheet.example',
    'X-Forwarded-For': '10.0.0.7',
    Origin: 'https://x.example',
  };
  assert.equal((await as('Bearer right-token', far)).status, 200);

  const wrong = [
    '',
    'Bearer',
    'Bearer ',
    'Bearer wrong-token',
    'Bearer right-toke',
    'Bearer right-token2',
    'Bearer right-token extra'.replace(' extra', '\textra'),
    'Basic right-token',
    'right-token',
  ];
  for (const authorization of wrong) {
    const answer = await as(authorization);
    assert.equal(answer.status, 401, authorization);
    assert.equal(codeOf(answer.body), 'token-missing');
    assert.match(answer.headers['www-authenticate'] ?? '', /^Bearer /);
  }
});

test('no way of writing a path leads past the token', async (t) => {
  const { port } = await startHttp(t, { adminToken: 'right-token' });
  const paths = [
    '/API/v1/runs',
    '/Api/V1/Runs',
    '/api/v1/runs/',
    '//api/v1/runs',
    '/api//v1/runs',
    '/%61pi/v1/runs',
    '/./api/v1/runs',
    '/x/../api/v1/runs',
    '/webhooks/../api/v1/runs',
    '/api/v1/runs?x=/healthz',
    '/api/v1/runs;x',
    '/api/v1/events',
    '/API/v1/events',
    '/api/v1/openapi.json',
    '/Api/v1/openapi.json',
    'http://127.0.0.1/API/v1/runs',
  ];
  for (const path of paths) {
    const { status } = await get(port, path, {});
    assert.ok(status === 401 || status === 404, `${path}: ${status}`);
  }
});

test('who did it is written down: the token’s holder or a program on this machine', async (t) => {
  const open = await startHttp(t);
  await fetch(`${open.url}/api/v1/runs/r1/cancel`, { method: 'POST' });
  assert.deepEqual(open.asked, ['cancel r1 as loopback']);
  const guarded = await startHttp(t, { adminToken: 'right-token' });
  const headers = { Authorization: 'Bearer right-token' };
  await fetch(`${guarded.url}/api/v1/runs/r1/cancel`, { method: 'POST', headers });
  await fetch(`${guarded.url}/api/v1/runs/r2/cancel`, { method: 'POST' });
  assert.deepEqual(guarded.asked, ['cancel r1 as admin']);
});

test('what an operator did is in the log, and what was refused is not', async (t) => {
  const { url, store, log } = await startHttp(t);
  await store.runs.insert(sampleRun('r1'), ['Build']);
  for (const run of ['r1', 'unknown']) {
    await fetch(`${url}/api/v1/runs/${run}/cancel`, { method: 'POST' });
  }
  await fetch(`${url}/api/v1/runs`);
  const acted = log.filter(({ msg }) => msg === 'operator acted');
  assert.deepEqual(
    acted.map(({ by, action }) => [by, action]),
    [['loopback', '/api/v1/runs/r1/cancel']],
  );
});

test('webhooks, health and metrics need no token', async (t) => {
  const { url } = await startHttp(t, { adminToken: 'right-token' });
  for (const path of ['/healthz', '/readyz', '/metrics']) {
    assert.equal((await fetch(url + path)).status, 200, path);
  }
  assert.equal((await fetch(`${url}/webhooks/v1/github`, { method: 'POST' })).status, 415);
});
