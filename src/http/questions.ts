import type { Clock } from '../lib/clock.ts';
import { createAtOnce } from './at-once.ts';
import type { Viewer } from './auth/viewer.ts';
import { ProblemError } from './problem.ts';
import { createRateLimit } from './rate-limit.ts';

const MINUTE_MS = 60_000;
const AT_ONCE = { ofPerson: 4, ofPeople: 24, ofAdministrator: 16 };
const RATES = {
  person: { count: 60, perMs: MINUTE_MS },
  administrator: { count: 240, perMs: MINUTE_MS },
};

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
  const enter = createAtOnce(AT_ONCE, () => tooMany('at once', 1));
  return async (viewer, answer) => {
    const leave = enter(viewer);
    try {
      const rate = RATES[viewer.visible === undefined ? 'administrator' : 'person'];
      const waitMs = limit.wait(viewer.actor, rate);
      if (waitMs > 0) throw tooMany('within a minute', Math.ceil(waitMs / 1000));
      limit.take(viewer.actor, rate);
      return await answer();
    } finally {
      leave();
    }
  };
}

function tooMany(when: string, waitS: number): ProblemError {
  return new ProblemError(429, 'too-many-questions', `too many costly questions ${when}`, {
    hint: `ask again in ${waitS} s`,
    headers: { 'Retry-After': String(waitS) },
  });
}
