import { createAtOnce, type Enter } from '../at-once.ts';
import { ProblemError } from '../problem.ts';

/** All persons together: connections that are being answered keep out others, webhooks too, when there are too many. */
const AT_ONCE = { ofPerson: 50, ofPeople: 1000, ofAdministrator: 1000 };

/** Counts the answers that stay open for long, streams and downloads of logs. Throws ProblemError `too-many-streams` (429). */
export function createOpenAnswers(): Enter {
  return createAtOnce(
    AT_ONCE,
    () =>
      new ProblemError(429, 'too-many-streams', 'too many streams are open', {
        hint: 'close some pages',
        headers: { 'Retry-After': '30' },
      }),
  );
}
