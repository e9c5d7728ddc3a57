import { createHmac } from 'node:crypto';
import type { Broadcast } from '../../lib/broadcast.ts';
import type { Clock } from '../../lib/clock.ts';
import { createSeal } from '../../lib/seal.ts';
import type { News } from '../../model/news.ts';
import type { Sessions } from '../../store/sessions.ts';
import { createAttempts, type Attempts } from './attempts.ts';
import { createAuthenticate, type Authenticate } from './authenticate.ts';
import { createSessionCookie, type SessionCookie } from './cookie.ts';
import { createLogIns, type LogIns } from './log-ins.ts';
import { createOpenAnswers } from './open-answers.ts';
import { createRightsWatch } from './standing.ts';
import { createStateCookie, type StateCookie } from './state-cookie.ts';
import type { ViewerOf } from './viewers.ts';

/** Who may do what, by token and by session. */
export interface Auth {
  authenticate: Authenticate;
  logIns: LogIns;
  cookie: SessionCookie;
  stateCookie: StateCookie;
  attempts: Attempts;
}

/**
 * With another admin token every session has ended, and where `keys` are set, with other keys: what signs their cookies is made
 * from both. The first of the keys signs, each is accepted.
 */
export function createAuth(deps: {
  token: string;
  keys?: readonly string[];
  sessions: Sessions;
  publicUrl: string | undefined;
  viewerOf?: ViewerOf | undefined;
  news: Broadcast<News>;
  clock: Pick<Clock, 'now' | 'elapsed'>;
}): Auth {
  const { token, publicUrl, clock, keys = [], viewerOf } = deps;
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
    authenticate: createAuthenticate({
      token,
      logIns,
      cookie,
      publicUrl,
      viewerOf,
      rights: createRightsWatch(deps.news),
      openAnswers: createOpenAnswers(),
    }),
    logIns,
    cookie,
    stateCookie: createStateCookie(createSeal(derived(first, 'log-ins').digest()), secure),
    attempts: createAttempts(clock),
  };
}
