import { once } from 'node:events';
import { createServer } from 'node:net';

/** A URL at which nothing answers: what is delivered there fails, as while a receiver is down. */
export async function deafUrl(): Promise<string> {
  // Stays there, so that no other test is given its port.
  const server = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
  server.unref();
  await once(server, 'listening');
  const address = server.address();
  return `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}/`;
}
