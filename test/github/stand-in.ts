import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import type { TestContext } from 'node:test';
import { createRequestValidator } from '../../demo/openapi.ts';

export interface Received {
  method: string;
  /** With its query. */
  path: string;
  headers: IncomingMessage['headers'];
  /** As it came. */
  text: string;
  /** Parsed; undefined when there was none. */
  body: unknown;
}

/**
 * What to answer: JSON (`text` is sent as it is), a connection that breaks, silence, or headers and half a body before the
 * connection breaks.
 */
export type Reply =
  | { status: number; headers?: Record<string, string>; body?: unknown; text?: string }
  | 'reset'
  | 'silence'
  | 'half';

export interface StandIn {
  url: string;
  requests: Received[];
}

const validator = createRequestValidator();

/**
 * A server that answers as the test says, for what a well-behaved GitHub never does. Unless `validate` is false, every request must
 * fit GitHub's OpenAPI description, or the test fails.
 */
export async function startStandIn(
  t: TestContext,
  answer: (request: Received, count: number) => Reply,
  { validate = true } = {},
): Promise<StandIn> {
  const requests: Received[] = [];
  const problems: string[] = [];
  const server = createServer((incoming, response) => {
    void receive(incoming).then((request) => {
      requests.push(request);
      if (validate) problems.push(...validator.check(request.method, request.path, request.body));
      reply(response, answer(request, requests.length));
    });
  });
  // A process that was stopped for a while may write to a connection just when it is closed as idle.
  server.keepAliveTimeout = 0;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    server.closeAllConnections();
    assert.deepEqual(problems, [], 'every request fits GitHub’s OpenAPI description');
  });
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  return { url: `http://127.0.0.1:${address.port}`, requests };
}

async function receive(incoming: IncomingMessage): Promise<Received> {
  const body = await text(incoming);
  return {
    method: incoming.method ?? '',
    path: incoming.url ?? '',
    headers: incoming.headers,
    text: body,
    body: /json/.test(incoming.headers['content-type'] ?? '') ? JSON.parse(body) : undefined,
  };
}

function reply(response: ServerResponse, answer: Reply): void {
  if (answer === 'silence') return;
  if (answer === 'reset') {
    response.socket?.resetAndDestroy();
    return;
  }
  if (answer === 'half') {
    response.writeHead(201, { 'content-type': 'application/json', 'content-length': '1000' });
    response.write('{"id": 1', () => response.socket?.resetAndDestroy());
    return;
  }
  const body = answer.text ?? (answer.body === undefined ? '' : JSON.stringify(answer.body));
  response.writeHead(answer.status, {
    ...(body === '' ? {} : { 'content-type': 'application/json; charset=utf-8' }),
    ...answer.headers,
  });
  response.end(body);
}
