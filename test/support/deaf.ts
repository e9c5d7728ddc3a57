import { once } from 'node:events';
import { createServer } from 'node:net';

/** A URL at which nobody listens: what is delivered there fails, as while a receiver is down. */
export async function deafUrl(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}/`;
}
