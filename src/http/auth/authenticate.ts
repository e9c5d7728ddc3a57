import type { Context } from 'koa';
import { nameOf } from '../../model/gate.ts';
import type { HasToken } from './bearer.ts';
import type { SessionCookie } from './cookie.ts';
import { SESSION_MS, type LoggedIn, type LogIns } from './log-ins.ts';
import { checkSameOrigin } from './same-origin.ts';
import type { Enter } from '../at-once.ts';
import type { RightsChanges, Standing } from './standing.ts';
import { administrator, viewerOf as viewerIn, type Viewer } from './viewer.ts';
import type { ViewerOf } from './viewers.ts';

/** Who asks: the holder of the bearer token, or a browser that is logged in; undefined for others. Sets what `standingOf` gives. */
export type Authenticate = (ctx: Context) => Promise<Viewer | undefined>;

/**
 * Throws ProblemError `cross-origin` for a change that another site makes a logged-in browser ask for, and what `HasToken` and
 * `ViewerOf` do.
 * `viewerOf` undefined: there is no log-in with GitHub, and sessions that one began count no more.
 */
export function createAuthenticate(deps: {
  hasToken: HasToken;
  logIns: LogIns;
  cookie: SessionCookie;
  publicUrl: string | undefined;
  viewerOf: ViewerOf | undefined;
  rights: RightsChanges;
  openAnswers: Enter;
}): Authenticate {
  const { hasToken, logIns, cookie, publicUrl, viewerOf, rights, openAnswers } = deps;

  const viewerOfSession = async ({ actor, githubId }: LoggedIn): Promise<Viewer | undefined> =>
    githubId === undefined
      ? administrator(actor)
      : await viewerOf?.({ login: nameOf(actor), id: githubId });

  function standingIn(ctx: Context, id: string, { githubId }: LoggedIn): Standing {
    const changed = githubId === undefined ? undefined : rights.begin();
    return {
      enter: () => openAnswers(viewerIn(ctx)),
      follow(end) {
        const stops = [logIns.follow(id, end), changed?.follow(end)];
        return () => stops.forEach((stop) => stop?.());
      },
      async again() {
        const found = await logIns.isGood(id);
        return found && (await viewerOfSession(found));
      },
    };
  }

  return async (ctx) => {
    if (ctx.get('Authorization') !== '') {
      if (!hasToken(ctx)) return undefined;
      const viewer = administrator('admin');
      // Another token takes another process.
      ctx.state['standing'] = {
        enter: () => openAnswers(viewer),
        follow: () => () => undefined,
        again: async () => viewer,
      } satisfies Standing;
      return viewer;
    }
    const id = cookie.read(ctx);
    if (id === undefined) return undefined;
    checkSameOrigin(ctx, publicUrl);
    const found = await logIns.find(id);
    if (found === undefined) return undefined;
    if (found.renewed !== undefined) cookie.write(ctx, found.renewed, SESSION_MS);
    // Before rights are asked for: what changes meanwhile counts.
    ctx.state['standing'] = standingIn(ctx, id, found);
    return await viewerOfSession(found);
  };
}
