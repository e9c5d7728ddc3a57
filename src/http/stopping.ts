import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http';
import { Server as NetServer, type Socket } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { Server as TlsServer } from 'node:tls';
import type { Middleware } from 'koa';
import { createChain } from '../lib/chain.ts';
import type { Clock } from '../lib/clock.ts';
import { ProblemError } from './problem.ts';

/** Nothing comes any more when nothing has come for so long. */
const QUIET_MS = 200;
/** How long a new connection may take to send its first request: its client may be far away, or busy. */
const FIRST_REQUEST_MS = 2000;
/** Longer than a webhook waits for the store. */
const ANSWER_WITHIN_MS = 10_000;
const RETRY_AFTER_S = 10;

/** The end of a server, in which each client gets an answer. */
export interface Stopping {
  /** Serves what comes with `handle`, and keeps account of it. */
  serve(
    handle: (request: IncomingMessage, response: ServerResponse) => Promise<unknown>,
  ): RequestListener;
  /** Throws ProblemError 503 after the stop. */
  turnAway(): void;
  /** Aborts at the stop. */
  signal: AbortSignal;
  /** The same, and tells streams of the stop: `ctx.state.stopping`, an AbortSignal. */
  guard: Middleware;
  /**
   * What is under way is answered, what comes later is told to come again, and each connection is closed with its answer. A new
   * connection has two seconds for its first request. When nothing comes any more (or after ten seconds) the listener is closed,
   * then what is left. Afterwards no request is served.
   */
  stop(server: Server): Promise<void>;
}

export function createStopping(clock: Pick<Clock, 'elapsed' | 'sleep'>): Stopping {
  const stopping = new AbortController();
  const { signal } = stopping;
  const underWay = createChain<ServerResponse>();
  /** Connections since the stop whose first request is awaited. */
  const awaited = new Map<Socket, AbortController>();
  let count = 0;

  function turnAway(): void {
    if (!signal.aborted) return;
    throw new ProblemError(503, 'stopping', 'Mainsheet is being stopped', {
      hint: 'send it again when it has been started again',
      headers: { 'Retry-After': String(RETRY_AFTER_S), Connection: 'close' },
    });
  }

  async function quiet(until: number): Promise<void> {
    let before: number;
    do {
      before = count;
      await clock.sleep(QUIET_MS);
      // What has come is taken in before anything is decided: what still waits to be would be reset.
      await setImmediate();
    } while ((count > before || underWay.size > 0 || awaited.size > 0) && clock.elapsed() < until);
  }

  async function awaitRequest(socket: Socket): Promise<void> {
    const came = new AbortController();
    awaited.set(socket, came);
    socket.once('close', () => came.abort());
    await clock.sleep(FIRST_REQUEST_MS, came.signal);
    awaited.delete(socket);
  }

  return {
    serve: (handle) => (request, response) => {
      count += 1;
      awaited.get(request.socket)?.abort();
      const link = underWay.add(response);
      if (signal.aborted) response.setHeader('Connection', 'close');
      // Its handler may go on when the client has gone.
      let open = 2;
      const over = () => {
        open -= 1;
        if (open === 0) underWay.remove(link);
      };
      response.once('close', over);
      handle(request, response).then(over, over);
    },

    turnAway,
    signal,

    async guard(ctx, next) {
      ctx.state['stopping'] = signal;
      turnAway();
      await next();
    },

    async stop(server) {
      for (const response of underWay) {
        if (!response.headersSent) response.setHeader('Connection', 'close');
      }
      stopping.abort();
      server.on(
        server instanceof TlsServer ? 'secureConnection' : 'connection',
        (socket: Socket) => void awaitRequest(socket),
      );
      const until = clock.elapsed() + ANSWER_WITHIN_MS;
      await quiet(until);
      // Not the one of HTTP, which also ends connections whose first request is on its way.
      const closed = new Promise((resolve) => NetServer.prototype.close.call(server, resolve));
      await quiet(until);
      server.closeAllConnections();
      await closed;
    },
  };
}
