import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

/** What stands before replicas: each request goes to the next one, and past those that are gone. */
export interface Balancer {
  url: string;
  close(): Promise<void>;
}

/** Listens on a free port; `targets` is asked again for each request, because replicas come and go. */
export async function startBalancer(targets: () => readonly string[]): Promise<Balancer> {
  let turn = 0;
  const server = createServer((request, response) => {
    void (async () => {
      const body = await buffer(request);
      const urls = targets();
      for (let tried = 0; tried < urls.length; tried += 1) {
        turn += 1;
        const target = urls[turn % urls.length] ?? '';
        try {
          const answer = await fetch(target + (request.url ?? ''), {
            method: 'POST',
            headers: headersOf(request.rawHeaders),
            body,
          });
          response.writeHead(answer.status).end(await answer.text());
          return;
        } catch {
          // This one is gone.
        }
      }
      response.writeHead(502).end();
      // A sender that hangs up in the middle.
    })().catch(() => response.destroy());
  });
  // A process that was stopped for a while may write to a connection just when it is closed as idle.
  server.keepAliveTimeout = 0;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Those that say what is sent; the rest is about the connection. */
function headersOf(raw: readonly string[]): [string, string][] {
  const headers: [string, string][] = [];
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = raw[index] ?? '';
    if (/^(?:x-|content-type$)/i.test(name)) headers.push([name, raw[index + 1] ?? '']);
  }
  return headers;
}
