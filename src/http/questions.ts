import type { Clock } from '../lib/clock.ts';
import type { Viewer } from './auth/viewer.ts';
import { ProblemError } from './problem.ts';
import { createRateLimit } from './rate-limit.ts';

const MINUTE_MS = 60_000;
/** Of one person, in all their sessions. */
const OF_PERSON = { atOnce: 4, rate: { count: 60, perMs: MINUTE_MS } };
/** Of the admin token with its sessions, and of each of `MAINSHEET_ADMINS`. */
const OF_ADMINISTRATOR = { atOnce: 16, rate: { count: 240, perMs: MINUTE_MS } };
/** Of all persons together: with GitHub everyone may log in. */
const ALL_AT_ONCE = 24;

/**
 * Answers a question for which much has to be read: so many at once and in a minute for one viewer. Throws ProblemError
 * `too-many-questions` (429).
 */
export type AskCostly = <Answer>(
  viewer: Pick<Viewer, 'actor' | 'visible'>,
  answer: () => Promise<Answer>,
) => Promise<Answer>;

export function createAskCostly(clock: Pick<Clock, 'elapsed'>): AskCostly {
  const limit = createRateLimit(clock);
  const underWay = new Map<string, number>();
  let ofAll = 0;

  return async ({ actor, visible }, answer) => {
    const isPerson = visible !== undefined;
    const { atOnce, rate } = isPerson ? OF_PERSON : OF_ADMINISTRATOR;
    const own = underWay.get(actor) ?? 0;
    if (own >= atOnce || (isPerson && ofAll >= ALL_AT_ONCE)) throw tooMany('at once', 1);
    const waitMs = limit.wait(actor, rate);
    if (waitMs > 0) throw tooMany('within a minute', Math.ceil(waitMs / 1000));
    limit.take(actor, rate);
    underWay.set(actor, own + 1);
    if (isPerson) ofAll += 1;
    try {
      return await answer();
    } finally {
      const left = (underWay.get(actor) ?? 1) - 1;
      if (left > 0) underWay.set(actor, left);
      else underWay.delete(actor);
      if (isPerson) ofAll -= 1;
    }
  };
}

function tooMany(when: string, waitS: number): ProblemError {
  return new ProblemError(429, 'too-many-questions', `too many costly questions ${when}`, {
    hint: `ask again in ${waitS} s`,
    headers: { 'Retry-After': String(waitS) },
  });
}
