import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { portOf } from '../../demo/listen.ts';

/**
 * A server of channels as https://github.com/probot/smee.io is one: what is posted to a channel goes to its listeners, with the
 * headers and the body beside each other, the body read and, on newer servers, as it came.
 */
export async function startSmee(options: { sendsRawBody: boolean }) {
  const listeners = new Set<ServerResponse>();
  let made = 0;
  const server = createServer((request, response) => void answer(request, response));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const url = `http://127.0.0.1:${portOf(server)}`;

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.url === '/new') {
      made += 1;
      response.writeHead(307, { location: `${url}/channel-${made}` }).end();
    } else if (request.method === 'GET') {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('event: ready\ndata: {}\n\n');
      listeners.add(response);
      response.once('close', () => listeners.delete(response));
    } else {
      const body = await text(request);
      const { sendsRawBody } = options;
      const event = {
        ...request.headers,
        body: JSON.parse(body),
        ...(sendsRawBody ? { rawbody: body } : {}),
        query: {},
        timestamp: Date.now(),
      };
      for (const listener of listeners) listener.write(`data: ${JSON.stringify(event)}\n\n`);
      response.end();
    }
  }

  return {
    url,
    listeners: () => listeners.size,
    made: () => made,
    /** As a server that is started again does. */
    cut: () => server.closeAllConnections(),
    /** To every listener, as it is. */
    say: (line: string) => listeners.forEach((listener) => listener.write(line)),
    async close() {
      server.closeAllConnections();
      await once(server.close(), 'close');
    },
  };
}
