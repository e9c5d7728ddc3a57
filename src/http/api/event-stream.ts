import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import type { Context } from 'koa';
import type { Barrier } from '../../store/barrier.ts';
import { standingOf } from '../auth/standing.ts';

/** A comment is sent this often, so that proxies do not close a quiet stream. */
const KEEP_ALIVE_MS = 15_000;

/** Server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html */
export interface EventStream {
  /** Resolves when the client can take more. `data` is sent as JSON; after the end, or when the client is gone, nothing is. */
  send(event: string, data: unknown, id?: number): Promise<void>;
  /** Aborted when the stream has ended, or the client has gone. */
  signal: AbortSignal;
  fail(error: unknown): void;
  end(): void;
}

/** Makes the answer an event stream, which tells of nothing that is not on the disk. It ends when its viewer may no longer have it: `Standing`. Throws as `createOpenAnswers`. */
export function eventStream(ctx: Context, flushed: Barrier): EventStream {
  const standing = standingOf(ctx);
  const leave = standing.enter();
  const body = new PassThrough();
  const gone = new AbortController();
  const keepAlive = setInterval(() => body.write(': still here\n\n'), KEEP_ALIVE_MS);
  // Each event that is being sent waits for room by itself.
  body.setMaxListeners(0);
  const stopping = ctx.state['stopping'] as AbortSignal;
  stopping.addEventListener('abort', end);
  body.on('close', () => {
    clearInterval(keepAlive);
    stopping.removeEventListener('abort', end);
    unfollow();
    leave();
    gone.abort();
  });
  ctx.res.on('close', () => body.destroy());
  ctx.status = 200;
  ctx.type = 'text/event-stream';
  // Asks nginx not to hold the stream back.
  ctx.set('X-Accel-Buffering', 'no');
  ctx.body = body;
  body.write(': mainsheet\n\n');
  const unfollow = standing.follow(end);

  return {
    signal: gone.signal,
    async send(event, data, id) {
      await flushed();
      if (gone.signal.aborted || body.writableEnded) return;
      const number = id === undefined ? '' : `id: ${id}\n`;
      const ready = body.write(`${number}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
      if (ready) return;
      try {
        await once(body, 'drain', { signal: gone.signal });
      } catch (error) {
        if (!gone.signal.aborted) throw error;
      }
    },
    fail: (error) => body.destroy(error instanceof Error ? error : new Error(String(error))),
    end,
  };

  function end(): void {
    // The client may still be reading for long: nothing may be written behind the end.
    clearInterval(keepAlive);
    gone.abort();
    body.end();
  }
}
