import type { Middleware } from 'koa';
import type { Authenticate } from './auth/authenticate.ts';
import { ProblemError } from './problem.ts';

/**
 * Who may use the API: the holder of the token, and a browser that is logged in. Where a request comes from says nothing: steps
 * and proxies are on this machine too. Sets `ctx.state.viewer`.
 */
export function access(authenticate: Authenticate): Middleware {
  return async (ctx, next) => {
    // Logs and payloads are what others wrote: a browser that opens an answer as a page is to do nothing with it.
    ctx.set('Content-Security-Policy', "default-src 'none'; frame-ancestors 'none'; sandbox");
    ctx.set('Cross-Origin-Resource-Policy', 'same-origin');
    const viewer = await authenticate(ctx);
    if (viewer === undefined) {
      throw tokenMissing();
    }
    ctx.state['viewer'] = viewer;
    await next();
  };
}

/** For who has shown neither the token nor a session. */
export function tokenMissing(): ProblemError {
  return new ProblemError(401, 'token-missing', 'the bearer token is missing or wrong', {
    hint: 'send "Authorization: Bearer …" with the value of MAINSHEET_ADMIN_TOKEN, or where that is not set with what is in the file admin-token in the data directory',
    headers: { 'WWW-Authenticate': 'Bearer realm="mainsheet"' },
  });
}
