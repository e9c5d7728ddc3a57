import type { Context } from 'koa';
import { ProblemError } from './problem.ts';

/** Aborted with ProblemError `hung-up` when the client has gone, or has its whole answer. */
export function hungUp(ctx: Pick<Context, 'res'>): AbortSignal {
  const gone = new AbortController();
  const end = () => gone.abort(new ProblemError(503, 'hung-up', 'who asked has hung up'));
  if (ctx.res.destroyed) end();
  else ctx.res.once('close', end);
  return gone.signal;
}
