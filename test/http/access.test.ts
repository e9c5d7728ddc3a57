import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { test } from 'node:test';
import { sampleRun } from '../store/samples.ts';
import { asAdmin } from '../support/admin.ts';
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

test('where a request comes from opens nothing: only the token does', async (t) => {
  const { port, url } = await startHttp(t);
  const local: Record<string, string>[] = [
    {},
    { Host: 'localhost' },
    { Host: `127.0.0.1:${port}`, Origin: url },
    { 'X-Forwarded-For': '127.0.0.1' },
  ];
  for (const path of ['/api/v1/runs', '/api/v1/events', '/api/v1/openapi.json']) {
    for (const headers of local) {
      const answer = await get(port, path, headers);
      assert.equal(answer.status, 401, path);
      assert.equal(codeOf(answer.body), 'token-missing');
    }
    // As nginx passes a request on when it is not told anything else.
    const proxied = `GET ${path} HTTP/1.0\r\nHost: 127.0.0.1:${port}\r\nConnection: close\r\n\r\n`;
    assert.equal((await rawRequest(port, proxied)).status, 401, path);
  }
});

test('the token opens the API, from anywhere, and nothing else does', async (t) => {
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

test('what an operator asks for is written down as theirs, and without the token nothing is done', async (t) => {
  const { url, asked } = await startHttp(t);
  await asAdmin(`${url}/api/v1/runs/r1/cancel`, { method: 'POST' });
  await fetch(`${url}/api/v1/runs/r2/cancel`, { method: 'POST' });
  assert.deepEqual(asked, ['cancel r1 as admin']);
});

test('what an operator did is in the log, and what was refused or only asked is not', async (t) => {
  const { url, store, log } = await startHttp(t);
  await store.runs.insert(sampleRun('r1'), ['Build']);
  for (const run of ['r1', 'unknown']) {
    await asAdmin(`${url}/api/v1/runs/${run}/cancel`, { method: 'POST' });
  }
  await asAdmin(`${url}/api/v1/runs`);
  await asAdmin(`${url}/api/v1/runs/r1/approve`, { method: 'POST' });
  const asked = await asAdmin(`${url}/api/v1/backtest`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: '{"specs":[]}',
  });
  assert.equal(asked.status, 200, await asked.text());
  const acted = log.filter(({ msg }) => msg === 'operator acted');
  assert.deepEqual(
    acted.map(({ by, action, ...more }) => [by, action, 'reason' in more]),
    [
      ['admin', '/api/v1/runs/r1/cancel', false],
      ['admin', '/api/v1/runs/r1/approve', false],
    ],
  );
});

test('webhooks, health and metrics need no token', async (t) => {
  const { url } = await startHttp(t, { adminToken: 'right-token' });
  for (const path of ['/healthz', '/readyz', '/metrics']) {
    assert.equal((await fetch(url + path)).status, 200, path);
  }
  assert.equal((await fetch(`${url}/webhooks/v1/github`, { method: 'POST' })).status, 415);
});
