import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http';
import { Server as NetServer } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import type { Middleware } from 'koa';
import { createChain } from '../lib/chain.ts';
import type { Clock } from '../lib/clock.ts';
import { ProblemError } from './problem.ts';

/** Nothing comes any more when nothing has come for so long. */
const QUIET_MS = 200;
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
  /** The same, and tells streams of the stop: `ctx.state.stopping`, an AbortSignal. */
  guard: Middleware;
  /**
   * What is under way is answered, what comes later is told to come again, and each connection is closed with its answer. When
   * nothing comes any more (or after ten seconds) the listener is closed, then what is left. Afterwards no request is served.
   */
  stop(server: Server): Promise<void>;
}

export function createStopping(clock: Pick<Clock, 'elapsed' | 'sleep'>): Stopping {
  const stopping = new AbortController();
  const { signal } = stopping;
  const underWay = createChain<ServerResponse>();
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
    } while ((count > before || underWay.size > 0) && clock.elapsed() < until);
  }

  return {
    serve: (handle) => (request, response) => {
      count += 1;
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
