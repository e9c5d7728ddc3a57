import { createHash, timingSafeEqual } from 'node:crypto';
import type { Context, Middleware } from 'koa';
import { ProblemError } from './problem.ts';

/**
 * Who may use the API: the holder of the token. Where a request comes from says nothing: steps and proxies are on this
 * machine too. Sets `ctx.state.actor` to `admin`.
 */
export function access(token: string): Middleware {
  return async (ctx, next) => {
    if (!hasAccess(ctx, token)) {
      throw new ProblemError(401, 'token-missing', 'the bearer token is missing or wrong', {
        hint: 'send "Authorization: Bearer …" with the value of MAINSHEET_ADMIN_TOKEN, or where that is not set with what is in the file admin-token in the data directory',
        headers: { 'WWW-Authenticate': 'Bearer realm="mainsheet"' },
      });
    }
    ctx.state['actor'] = 'admin';
    await next();
  };
}

/** Whether a request may use the API: it may be told more on a route that answers everybody. */
export function hasAccess(ctx: Context, token: string): boolean {
  const [scheme, given] = ctx.get('Authorization').split(' ');
  return scheme?.toLowerCase() === 'bearer' && given !== undefined && sameSecret(given, token);
}

/** Compares digests, so that neither the content nor the length shows in the time it takes. */
function sameSecret(a: string, b: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}
