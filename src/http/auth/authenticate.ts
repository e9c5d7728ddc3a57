import type { Context } from 'koa';
import { hasAccess } from './bearer.ts';
import type { SessionCookie } from './cookie.ts';
import { SESSION_MS, type LogIns } from './log-ins.ts';
import { checkSameOrigin } from './same-origin.ts';
import { administrator, type Viewer } from './viewer.ts';

/** Who asks: the holder of the bearer token, or a browser that is logged in; undefined for others. */
export type Authenticate = (ctx: Context) => Promise<Viewer | undefined>;

/** Throws ProblemError `cross-origin` for a change that another site makes a logged-in browser ask for. */
export function createAuthenticate(deps: {
  token: string;
  logIns: LogIns;
  cookie: SessionCookie;
  publicUrl: string | undefined;
}): Authenticate {
  const { token, logIns, cookie, publicUrl } = deps;
  return async (ctx) => {
    if (ctx.get('Authorization') !== '') {
      return hasAccess(ctx, token) ? administrator('admin') : undefined;
    }
    const id = cookie.read(ctx);
    if (id === undefined) return undefined;
    checkSameOrigin(ctx, publicUrl);
    const found = await logIns.find(id);
    if (found === undefined) return undefined;
    if (found.renewed !== undefined) cookie.write(ctx, found.renewed, SESSION_MS);
    return administrator(found.actor);
  };
}
