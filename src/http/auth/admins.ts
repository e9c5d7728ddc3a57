import type { Admin } from '../../config/admins.ts';
import type { People } from '../../github/people.ts';
import type { KnownUser } from '../../github/permissions.ts';
import type { Clock } from '../../lib/clock.ts';
import { createDeadline } from '../../lib/deadline.ts';
import { describeError } from '../../lib/errors.ts';
import type { Logger } from '../../lib/logger.ts';
import { ownerOf } from '../../lib/names.ts';

/** What GitHub says of a member counts for so long. */
const FRESH_MS = 60_000;
/** So long a page waits for GitHub to say whether a name is still its user's. */
const WITHIN_MS = 2000;
/** People of whom it is remembered. */
const MOST_REMEMBERED = 1000;
/** Repositories as whose installation it is asked who has a name now. */
const MOST_ASKED = 5;

/** Whether a user is one of `MAINSHEET_ADMINS`. */
export interface Admins {
  is: IsAdmin;
  /** Something about teams has changed. */
  drop(): void;
}

export type IsAdmin = (user: KnownUser) => Promise<boolean>;

/**
 * Of teams GitHub is asked, as the installation on a repository of their organization; what it does not say is "no". Who is named has to
 * have that name still, since a session keeps the one that it was begun under; that counts also while GitHub does not say, within two seconds.
 */
export function createAdmins(deps: {
  admins: readonly Admin[];
  people: Pick<People, 'isMember' | 'idOf'>;
  /** In small letters. */
  repositories: () => Promise<readonly string[]>;
  clock: Pick<Clock, 'elapsed' | 'sleep'>;
  logger: Logger;
}): Admins {
  const { admins, people, clock, logger } = deps;
  const names = new Set(admins.flatMap((one) => ('login' in one ? one.login.toLowerCase() : [])));
  const teams = admins.flatMap((one) => ('team' in one ? one.team : []));
  const within = createDeadline(clock, WITHIN_MS);
  const remembered = new Map<string, { at: number; answer: Promise<boolean> }>();

  async function hasNameStill({ login, id }: KnownUser): Promise<boolean> {
    for (const repository of (await deps.repositories()).slice(0, MOST_ASKED)) {
      try {
        return (await people.idOf(repository, login)) === id;
      } catch (error) {
        logger.debug({ repository, error: describeError(error) }, 'user not looked up');
      }
    }
    return true;
  }

  async function isInTeam(user: KnownUser): Promise<boolean> {
    const known = await deps.repositories();
    for (const team of teams) {
      const repository = known.find((name) => ownerOf(name) === team.org.toLowerCase());
      if (repository === undefined) continue;
      if (!(await people.isMember(repository, team, user.login))) continue;
      // The name may be another's by now.
      return (await people.idOf(repository, user.login)) === user.id;
    }
    return false;
  }

  async function ask(user: KnownUser, isNamed: boolean): Promise<boolean> {
    try {
      return await (isNamed ? hasNameStill(user) : isInTeam(user));
    } catch (error) {
      logger.warn(
        {
          error: describeError(error),
          hint: 'until GitHub can be asked, log in with the admin token',
        },
        'administrator not looked up',
      );
      return false;
    }
  }

  function answerFor(user: KnownUser, isNamed: boolean): Promise<boolean> {
    const key = `${user.id} ${user.login}`;
    const found = remembered.get(key);
    if (found !== undefined && clock.elapsed() - found.at < FRESH_MS) return found.answer;
    if (remembered.size >= MOST_REMEMBERED) remembered.clear();
    const answer = ask(user, isNamed);
    remembered.set(key, { at: clock.elapsed(), answer });
    return answer;
  }

  return {
    async is(user) {
      const isNamed = names.has(user.login.toLowerCase());
      if (!isNamed && teams.length === 0) return false;
      const answer = answerFor(user, isNamed);
      return await (isNamed ? within(answer, 'GitHub did not say').catch(() => true) : answer);
    },
    drop: () => remembered.clear(),
  };
}
