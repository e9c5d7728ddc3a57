import type { Context } from 'koa';
import { nameOf } from '../../model/gate.ts';
import { hasAccess } from './bearer.ts';
import type { SessionCookie } from './cookie.ts';
import { SESSION_MS, type LogIns } from './log-ins.ts';
import { checkSameOrigin } from './same-origin.ts';
import { administrator, type Viewer } from './viewer.ts';
import type { ViewerOf } from './viewers.ts';

/** Who asks: the holder of the bearer token, or a browser that is logged in; undefined for others. */
export type Authenticate = (ctx: Context) => Promise<Viewer | undefined>;

/**
 * Throws ProblemError `cross-origin` for a change that another site makes a logged-in browser ask for, and what `ViewerOf` does.
 * `viewerOf` undefined: there is no log-in with GitHub, and sessions that one began count no more.
 */
export function createAuthenticate(deps: {
  token: string;
  logIns: LogIns;
  cookie: SessionCookie;
  publicUrl: string | undefined;
  viewerOf: ViewerOf | undefined;
}): Authenticate {
  const { token, logIns, cookie, publicUrl, viewerOf } = deps;
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
    const { actor, githubId } = found;
    if (githubId === undefined) return administrator(actor);
    return await viewerOf?.({ login: nameOf(actor), id: githubId });
  };
}
