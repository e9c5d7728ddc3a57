import { readFileSync } from 'node:fs';
import type { IncomingMessage, Server } from 'node:http';
import type { Socket } from 'node:net';
import { createChain, type Link } from '../lib/chain.ts';

/** All connections together, a few KB of memory each; half of them may wait for their client, the rest are answered. */
const MOST = 4096;
/** Of the files that the process may open. The rest is for the database, git, and the processes of steps. */
const SHARE = 0.5;
/** A client that takes nothing of its answer for so long will not take the rest. */
const STALLED_MS = 30_000;
/** Of one connection, after which it is closed: what is sent without waiting for answers is worked on before all other connections. */
const MOST_REQUESTS = 100;

/** What `boundConnections` keeps to. */
export interface ConnectionLimits {
  mostWaiting: number;
  most: number;
  stalledMs?: number;
}

/**
 * Bounds what clients can hold without doing anything. A connection waits for its client while it has sent no request, part of
 * one, or nothing since the last answer. When more than `mostWaiting` do, the one that has waited longest is closed, so that
 * a client that opens thousands closes its own and new ones are always let in. Connections that are being answered are never closed for
 * others, but are when their client takes nothing of the answer for `stalledMs`.
 */
export function boundConnections(
  server: Server,
  limits: ConnectionLimits = connectionLimits(openFilesLimit()),
): void {
  const { mostWaiting, most, stalledMs = STALLED_MS } = limits;
  /** In the order in which they began to wait. */
  const waiting = createChain<Socket>();
  const places = new WeakMap<Socket, Link<Socket>>();
  server.maxConnections = most;
  server.maxRequestsPerSocket = MOST_REQUESTS;
  server.timeout = stalledMs;

  function work(socket: Socket): void {
    const place = places.get(socket);
    if (place !== undefined) waiting.remove(place);
  }

  function wait(socket: Socket): void {
    work(socket);
    if (socket.destroyed) return;
    places.set(socket, waiting.add(socket));
    if (waiting.size <= mostWaiting) return;
    const longest = waiting.first() ?? socket;
    work(longest);
    longest.destroy();
  }

  server.on('connection', (socket: Socket) => {
    wait(socket);
    socket.once('close', () => work(socket));
  });
  server.on('request', (request, response) => {
    const { socket } = request;
    if (!hasBody(request)) work(socket);
    // What is left of a body after its answer is thrown away: then the connection waits for the next request already.
    else request.once('end', () => response.closed || work(socket));
    response.once('close', () => wait(socket));
    // Nothing went either way. What has no answer yet is still being worked on.
    response.on('timeout', () => {
      if (socket.writableLength > 0) socket.destroy();
    });
  });
}

/**
 * As many as are useful, and no more than the process may open: when it may open no more, no client is let in at all, and the database
 * and git fail too.
 */
export function connectionLimits(openFiles: number): ConnectionLimits {
  const most = Math.max(2, Math.min(MOST, Math.floor(openFiles * SHARE)));
  return { most, mostWaiting: Math.floor(most / 2) };
}

/** How many files and connections the process may have open; Infinity where the system does not say. Node.js raises it at its start. */
function openFilesLimit(): number {
  try {
    const limits = readFileSync('/proc/self/limits', 'utf8');
    return Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1] ?? Infinity);
  } catch {
    return Infinity;
  }
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}
