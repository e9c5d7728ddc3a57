import type { IncomingMessage, Server } from 'node:http';
import type { Socket } from 'node:net';

/** Connections that wait for their client: a few KB of memory each. */
const MOST_WAITING = 2048;
/** All connections together: the rest are answered, or read a stream. */
const MOST = 4096;

/**
 * Bounds what clients can hold without doing anything. A connection waits for its client while it has sent no request, part of
 * one, or nothing since the last answer. When more than `mostWaiting` do, the one that has waited longest is closed, so that
 * whoever opens thousands closes his own and new ones are always let in. Connections that are being answered are never closed.
 */
export function boundConnections(
  server: Server,
  { mostWaiting = MOST_WAITING, most = MOST }: { mostWaiting?: number; most?: number } = {},
): void {
  /** In the order in which they began to wait. */
  const waiting = new Set<Socket>();
  server.maxConnections = most;

  function wait(socket: Socket): void {
    if (socket.destroyed) return;
    waiting.delete(socket);
    waiting.add(socket);
    if (waiting.size <= mostWaiting) return;
    const [longest] = waiting;
    waiting.delete(longest ?? socket);
    longest?.destroy();
  }

  server.on('connection', (socket: Socket) => {
    wait(socket);
    socket.once('close', () => waiting.delete(socket));
  });
  server.on('request', (request, response) => {
    const { socket } = request;
    if (hasBody(request)) request.once('end', () => waiting.delete(socket));
    else waiting.delete(socket);
    response.once('close', () => wait(socket));
  });
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}
