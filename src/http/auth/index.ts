import { createHmac } from 'node:crypto';
import type { Clock } from '../../lib/clock.ts';
import type { Sessions } from '../../store/sessions.ts';
import { createAttempts, type Attempts } from './attempts.ts';
import { createAuthenticate, type Authenticate } from './authenticate.ts';
import { createSessionCookie, type SessionCookie } from './cookie.ts';
import { createLogIns, type LogIns } from './log-ins.ts';

/** Who may do what, by token and by session. */
export interface Auth {
  authenticate: Authenticate;
  logIns: LogIns;
  cookie: SessionCookie;
  attempts: Attempts;
}

/** With another admin token every session has ended: the key that signs their cookies is made from it. */
export function createAuth(deps: {
  token: string;
  sessions: Sessions;
  publicUrl: string | undefined;
  clock: Pick<Clock, 'now' | 'elapsed'>;
}): Auth {
  const { token, publicUrl, clock } = deps;
  const logIns = createLogIns(deps.sessions, clock);
  const key = createHmac('sha256', token).update('mainsheet sessions').digest('hex');
  const cookie = createSessionCookie([key], publicUrl?.startsWith('https:') === true);
  return {
    authenticate: createAuthenticate({ token, logIns, cookie, publicUrl }),
    logIns,
    cookie,
    attempts: createAttempts(clock),
  };
}
