import { RetryableError, TerminalError } from '../../lib/errors.ts';
import { keyOf } from '../../controller/operator/gates.ts';
import { SIGN_IN_CALLBACK, type SignIn } from '../../github/sign-in.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import { isSameSecret } from '../auth/bearer.ts';
import type { StateCookie } from '../auth/state-cookie.ts';
import { ProblemError } from '../problem.ts';
import { enter, placeOf, type LoginDeps } from './login.ts';
import { open, type PageRoute } from './page.ts';

/** Logging in with GitHub: there, and back. */
export function githubLoginRoutes(
  deps: LoginDeps & {
    signIn: SignIn;
    stateCookie: StateCookie;
    publicUrl: string | undefined;
    clock: Pick<Clock, 'now'>;
    logger: Logger;
  },
): PageRoute[] {
  const { signIn, stateCookie, attempts, logIns, clock, logger } = deps;
  const redirectUrl = deps.publicUrl && deps.publicUrl + SIGN_IN_CALLBACK;

  return [
    open('get', '/auth/github', async ({ ctx, frame, query }) => {
      // Another site may not end the session that this browser has.
      if (ctx.get('Sec-Fetch-Site') === 'cross-site') return { redirect: `${frame.root}login` };
      attempts.check(deps.addressOf(ctx));
      const begun = stateCookie.begin(ctx, query.get('next')?.slice(0, 500) ?? '', clock.now());
      return { redirect: signIn.authorizeUrl({ ...begun, redirectUrl }) };
    }),
    open('get', SIGN_IN_CALLBACK, async ({ ctx, frame, query }) => {
      const address = deps.addressOf(ctx);
      attempts.check(address);
      frame.actor = undefined;
      const begun = stateCookie.take(ctx, clock.now());
      const isOwn = begun !== undefined && isSameSecret(query.get('state') ?? '', begun.state);
      if (!isOwn || !(await logIns.spend(begun.state, begun.expiresAt))) {
        // What another site makes a browser ask for must not count, and without its own state nothing can be guessed.
        if (isOwn) attempts.fail(address);
        throw new ProblemError(
          400,
          'sign-in-state',
          'this is not the end of a log-in that began here',
          {
            hint: 'a log-in takes ten minutes at most, in one browser, and works once: begin again',
          },
        );
      }
      const code = query.get('code') ?? '';
      if (!/^[\w-]{1,200}$/.test(code)) {
        throw new ProblemError(403, 'sign-in-denied', 'GitHub was not allowed to say who you are', {
          hint: 'log in again to allow it, or use the admin token',
        });
      }
      const { login, id } = await signIn
        .userOf({ ...begun, code, redirectUrl })
        .catch((error: unknown) => {
          attempts.fail(address);
          throw asProblem(error);
        });
      attempts.arrive(address);
      await enter(deps, ctx, { actor: keyOf({ login }), githubId: id });
      logger.info({ by: keyOf({ login }) }, 'logged in with GitHub');
      return { redirect: placeOf(begun.next, frame) };
    }),
  ];
}

function asProblem(error: unknown): unknown {
  if (error instanceof TerminalError && error.code === 'sign-in-refused') {
    return new ProblemError(403, error.code, error.message, { cause: error, hint: 'log in again' });
  }
  if (!(error instanceof RetryableError)) return error;
  return new ProblemError(503, 'github-away', 'GitHub cannot be asked who you are', {
    cause: error,
    hint: 'try again in a minute; the admin token works without GitHub',
    headers: { 'Retry-After': '60' },
  });
}
