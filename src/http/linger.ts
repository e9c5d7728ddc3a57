import type { IncomingMessage, Server } from 'node:http';
import { Socket } from 'node:net';
import type { Clock } from '../lib/clock.ts';

/** How long a client has to read its answer and to hang up, in milliseconds. */
export const LINGER_MS = 2000;

/**
 * A client that is refused before its request was read whole is usually still sending. If the connection were closed under it, its
 * system would be told of a reset, and most clients then drop the answer they have not read yet: a 413 that is never seen. So the
 * server only says that nothing more will come from it, throws away what still comes, and closes when the client has, or after
 * `LINGER_MS` (RFC 9112, section 9.6: https://www.rfc-editor.org/rfc/rfc9112#section-9.6).
 */
export function lingerAfterRefusals(server: Server, clock: Pick<Clock, 'sleep'>): void {
  server.on('request', (request) => {
    const { socket } = request;
    // What Node.js calls when the last answer of a connection has been handed over.
    socket.destroySoon = () => {
      if (request.complete) return Socket.prototype.destroySoon.call(socket);
      socket.end();
      request.resume();
      void closeWithin(LINGER_MS, socket, clock);
    };
  });
}

/** Bytes of a refused body that are thrown away, so that its connection serves the next request. */
const SMALL = 64 * 1024;

/**
 * Whether the connection of a refused request has to be closed: what is left of its body is not worth reading. What is small is read
 * and thrown away, by Node.js itself, since a new connection costs more.
 */
export function isOver({ complete, headers }: IncomingMessage): boolean {
  return !complete && !(Number(headers['content-length']) <= SMALL);
}

async function closeWithin(ms: number, socket: Socket, clock: Pick<Clock, 'sleep'>): Promise<void> {
  const closed = new AbortController();
  socket.once('close', () => closed.abort());
  await clock.sleep(ms, closed.signal);
  socket.destroy();
}
