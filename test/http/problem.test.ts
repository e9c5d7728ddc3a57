import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MainsheetError, RetryableError, TerminalError } from '../../src/lib/errors.ts';
import { startHttp } from './fixture.ts';
import { rawRequest } from './raw.ts';
import { asAdmin } from '../support/admin.ts';

/** What the API answers when an operator's cancel throws this. */
async function answerTo(t: Parameters<typeof startHttp>[0], error: unknown) {
  const cancel = async () => {
    throw error;
  };
  const fixture = await startHttp(t, { operate: { cancel } });
  const response = await asAdmin(`${fixture.url}/api/v1/runs/r1/cancel`, { method: 'POST' });
  assert.equal(response.headers.get('Content-Type'), 'application/problem+json');
  const problem = (await response.json()) as Record<string, unknown>;
  assert.equal(problem['status'], response.status);
  return { response, problem, errors: fixture.log.filter(({ level }) => level === 50) };
}

test('what was not expected is told as no more than that, and logged once with its causes', async (t) => {
  const error = new Error('database is locked', { cause: new Error('secret detail') });
  const { response, problem, errors } = await answerTo(t, error);
  assert.equal(response.status, 500);
  assert.deepEqual(problem, {
    type: 'about:blank',
    title: 'Internal error',
    status: 500,
    code: 'internal',
    detail: 'Mainsheet failed to answer; its log says why',
  });
  assert.equal(errors.length, 1);
  assert.match(String(errors[0]?.['error']), /database is locked: secret detail/);
});

test('what the caller may mend is told with what to do, and is not logged as an error', async (t) => {
  const error = new TerminalError('illegal-transition', 'run r1 is failed', { hint: 'retry it' });
  const { response, problem, errors } = await answerTo(t, error);
  assert.equal(response.status, 409);
  assert.deepEqual(problem, {
    type: 'about:blank',
    title: 'Conflict',
    status: 409,
    code: 'illegal-transition',
    detail: 'run r1 is failed',
    hint: 'retry it',
  });
  assert.deepEqual(errors, []);
});

test('what may work later is answered with 503 and when to come again', async (t) => {
  const later = await answerTo(t, new RetryableError('git-timeout', 'git is away'));
  assert.equal(later.response.status, 503);
  assert.equal(later.problem['code'], 'git-timeout');
  assert.match(later.response.headers.get('Retry-After') ?? '', /^[1-9]\d*$/);
  const soon = await answerTo(t, new RetryableError('x', 'y', { retryAfterMs: 1500 }));
  assert.equal(soon.response.headers.get('Retry-After'), '2');
});

test('what cannot help however often it is tried is the request’s fault', async (t) => {
  const { response, problem } = await answerTo(t, new TerminalError('tag-missing', 'no tag v1'));
  assert.equal(response.status, 422);
  assert.equal(problem['detail'], 'no tag v1');
  const own = await answerTo(t, new MainsheetError('disk-full', 'no room'));
  assert.equal(own.response.status, 500);
});

test('what is thrown need not be an error', async (t) => {
  assert.equal((await answerTo(t, undefined)).response.status, 500);
  assert.equal((await answerTo(t, 'text')).response.status, 500);
});

test('where there is nothing, the answer says where the API is described', async (t) => {
  const { url } = await startHttp(t);
  for (const path of [
    '/nothing',
    '/api/v1/unknown',
    '/favicon.ico',
    '/webhooks/v1/github/',
    '/%zz',
  ]) {
    const response = await asAdmin(url + path);
    assert.equal(response.status, 404, path);
    const problem = (await response.json()) as Record<string, unknown>;
    assert.equal(problem['code'], 'no-such-route');
    assert.match(String(problem['hint']), /openapi\.json/);
  }
});

test('where there is nothing, a browser is shown a page that says so', async (t) => {
  const { url } = await startHttp(t);
  const response = await fetch(`${url}/no/<b>`, { headers: { Accept: 'text/html,*/*;q=0.8' } });
  assert.equal(response.status, 404);
  assert.match(response.headers.get('Content-Security-Policy') ?? '', /default-src 'none'/);
  assert.match(await response.text(), /<h1>Not found<\/h1>[^]*There is nothing at \/no\/%3Cb%3E/);
});

test('a request target that cannot be read is refused, as a problem', async (t) => {
  const { port } = await startHttp(t);
  for (const target of ['http://[', 'http://[::bad/webhooks/v1/github']) {
    const answer = await rawRequest(
      port,
      `POST ${target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`,
    );
    assert.equal(answer.status, 400, target);
    assert.equal(answer.headers['content-type'], 'application/problem+json');
    assert.equal((JSON.parse(answer.body) as { code: string }).code, 'bad-target');
  }
});

test('a method that a route does not take is refused, and those that it takes are named', async (t) => {
  const { url, asked } = await startHttp(t);
  const response = await asAdmin(`${url}/api/v1/runs/r1/cancel`);
  assert.equal(response.status, 405);
  assert.equal(response.headers.get('Allow'), 'POST');
  assert.equal(((await response.json()) as { code: string }).code, 'method-not-allowed');
  assert.equal((await asAdmin(`${url}/api/v1/runs`, { method: 'DELETE' })).status, 405);
  assert.deepEqual(asked, []);
});
