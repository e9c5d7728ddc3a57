import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test, type TestContext } from 'node:test';
import type { Router } from '@koa/router';
import Koa from 'koa';
import { pino } from 'pino';
import * as z from 'zod';
import { administrator } from '../../src/http/auth/viewer.ts';
import { apiRouter, operation } from '../../src/http/api/route.ts';
import { MOST_JSON } from '../../src/http/api/read-json.ts';
import { lingerAfterRefusals } from '../../src/http/linger.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { problems } from '../../src/http/problem.ts';

async function echo(t: TestContext): Promise<string> {
  const logger = pino({ level: 'silent' });
  const app = new Koa();
  app.use(problems(logger));
  const one = operation('post', '/echo/{id}', {
    name: 'echo',
    summary: 'What was sent',
    body: z.strictObject({ word: z.string().max(2 * MOST_JSON) }),
    answer: z.object({ word: z.string() }),
    serve: async ({ body }) => body,
  });
  const router: Router = apiRouter(
    '/api',
    (ctx, next) => {
      ctx.state['viewer'] = administrator('admin');
      return next();
    },
    [one],
    logger,
    async () => {},
    async (_viewer, answer) => await answer(),
  );
  app.use(router.routes());
  const handle = app.callback();
  const server = createServer((request, response) => void handle(request, response));
  lingerAfterRefusals(server, systemClock);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/echo/1`;
}

const JSON_TYPE = { 'Content-Type': 'application/json' };

test('a JSON body reaches the operation, checked', async (t) => {
  const url = await echo(t);
  const send = async (body: string, headers: Record<string, string> = JSON_TYPE) => {
    const response = await fetch(url, { method: 'POST', body, headers });
    const { code, word } = (await response.json()) as { code?: string; word?: string };
    return [response.status, code ?? word];
  };
  assert.deepEqual(await send('{"word":"hello"}'), [200, 'hello']);
  assert.deepEqual(await send('{"word":1}'), [400, 'invalid-body']);
  assert.deepEqual(await send(''), [400, 'invalid-body']);
  assert.deepEqual(await send('{"word"'), [400, 'not-json']);
  assert.deepEqual(await send('{"word":"hello"}', { 'Content-Type': 'text/plain' }), [
    415,
    'not-json',
  ]);
  const large = JSON.stringify({ word: 'x'.repeat(MOST_JSON) });
  assert.deepEqual(await send(large), [413, 'body-too-large']);
});
