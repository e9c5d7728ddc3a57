import { createHmac } from 'node:crypto';
import type { Context } from 'koa';
import type { Broadcast } from '../../lib/broadcast.ts';
import type { Clock } from '../../lib/clock.ts';
import { createSeal } from '../../lib/seal.ts';
import type { News } from '../../model/news.ts';
import type { Sessions } from '../../store/sessions.ts';
import { createAttempts, type Attempts } from './attempts.ts';
import { createAuthenticate, type Authenticate } from './authenticate.ts';
import { createHasToken, type HasToken } from './bearer.ts';
import { createSessionCookie, type SessionCookie } from './cookie.ts';
import { createLogIns, type LogIns } from './log-ins.ts';
import { createOpenAnswers } from './open-answers.ts';
import { createRightsChanges } from './standing.ts';
import { createStateCookie, type StateCookie } from './state-cookie.ts';
import type { ViewerOf } from './viewers.ts';

/** Who may do what, by token and by session. */
export interface Auth {
  hasToken: HasToken;
  authenticate: Authenticate;
  logIns: LogIns;
  cookie: SessionCookie;
  stateCookie: StateCookie;
  attempts: Attempts;
  /** Where a request comes from. */
  addressOf: (ctx: Context) => string;
}

/**
 * With another admin token every session has ended, and where `keys` are set, with other keys: what signs their cookies is made
 * from both. The first of the keys signs, each is accepted.
 */
export function createAuth(deps: {
  token: string;
  addressOf: (ctx: Context) => string;
  keys?: readonly string[];
  sessions: Sessions;
  publicUrl: string | undefined;
  viewerOf?: ViewerOf | undefined;
  news: Broadcast<News>;
  clock: Pick<Clock, 'now' | 'elapsed'>;
}): Auth {
  const { token, addressOf, publicUrl, clock, keys = [], viewerOf } = deps;
  const attempts = createAttempts(clock);
  const hasToken = createHasToken({ token, attempts, addressOf });
  const logIns = createLogIns(deps.sessions, clock);
  // A Mainsheet from before there were people takes every session for the administrator's: it must not know these keys.
  const derived = (key: string, what: string) =>
    createHmac('sha256', token).update(`mainsheet ${what} of people\0${key}`);
  const [first = '', ...others] = keys;
  const secure = publicUrl?.startsWith('https:') === true;
  const cookie = createSessionCookie(
    [first, ...others].map((key) => derived(key, 'sessions').digest('hex')),
    secure,
  );
  return {
    hasToken,
    authenticate: createAuthenticate({
      hasToken,
      logIns,
      cookie,
      publicUrl,
      viewerOf,
      rights: createRightsChanges(deps.news),
      openAnswers: createOpenAnswers(),
    }),
    logIns,
    cookie,
    stateCookie: createStateCookie(createSeal(derived(first, 'log-ins').digest()), secure),
    attempts,
    addressOf,
  };
}
