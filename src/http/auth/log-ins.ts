import { createHash, randomBytes } from 'node:crypto';
import type { Clock } from '../../lib/clock.ts';
import type { Session, Sessions } from '../../store/sessions.ts';
import { createSessionEnds } from './session-ends.ts';

/** A session ends so long after its log-in, whatever it does. */
export const SESSION_MS = 30 * 86_400_000;
/** It ends when it was not used for so long. */
const IDLE_MS = 7 * 86_400_000;
/** It gets another id so often: one that was stolen from a backup or a log is soon worth nothing. */
const RENEW_MS = 86_400_000;
/** For so long the id before is still good: pages ask for several things at once. */
const GRACE_MS = 60_000;
/** Its use is noted so often. */
const SEE_MS = 300_000;
/** Sessions that a user of GitHub has at once: every one of them may log in. */
const MOST_OF_USER = 20;
const LINK_MS = 15 * 60_000;

/** Who logs in. */
export interface LoggedIn {
  /** As the audit table names people. */
  actor: string;
  /** GitHub's number of the user; undefined for the admin token. */
  githubId: number | undefined;
}

/** Who is logged in. Ids are 256 random bits; the store keeps their digests. */
export interface LogIns {
  /** A new session, always with a new id: one that was planted before the log-in is worth nothing. */
  begin(who: LoggedIn): Promise<string>;
  /** Whose session it is, and the id that takes the place of this one when it is time for that. */
  find(id: string): Promise<(LoggedIn & { renewed: string | undefined }) | undefined>;
  /** Whose session it is, and nothing else comes of asking. */
  isGood(id: string): Promise<LoggedIn | undefined>;
  /** Calls `ended` soon after a session has ended: `SessionEnds`. Returns how to stop. */
  follow(id: string, ended: () => void): () => void;
  end(id: string): Promise<void>;
  /** Ends every session of a person, whatever they were called when it began, and makes links worthless that would begin one. */
  endAll(who: LoggedIn): Promise<void>;
  /** A code that logs a person in once, for 15 minutes. */
  invite(actor: string): Promise<{ code: string; expiresAt: number }>;
  /** Whom a code logs in; undefined when it was used, or is too old. */
  redeem(code: string): Promise<string | undefined>;
  /** Whether a state of GitHub's log-in, which is good until `expiresAt`, was not used before; from now on it was. */
  spend(state: string, expiresAt: number): Promise<boolean>;
}

export function createLogIns(sessions: Sessions, clock: Pick<Clock, 'now'>): LogIns {
  const make = async (session: Omit<Session, 'digest' | 'replacedAt'>) => {
    const id = randomBytes(32).toString('base64url');
    await sessions.add({ ...session, digest: digestOf(id), replacedAt: undefined });
    return id;
  };

  const ends = createSessionEnds(async (digests) => {
    const now = clock.now();
    const found = await sessions.all(digests);
    return new Set(found.filter((one) => !hasEnded(one, now)).map(({ digest }) => digest));
  });
  async function isGood(id: string): Promise<Session | undefined> {
    const session = await sessions.get(digestOf(id));
    return session === undefined || hasEnded(session, clock.now()) ? undefined : session;
  }

  return {
    isGood,
    follow: (id, ended) => ends.follow(digestOf(id), ended),

    async begin(who) {
      const now = clock.now();
      await sessions.removeOld({
        created: now - SESSION_MS,
        seen: now - IDLE_MS,
        replaced: now - GRACE_MS,
      });
      const id = await make({ ...who, createdAt: now, renewedAt: now, seenAt: now });
      if (who.githubId !== undefined) {
        await sessions.keepNewest(who.githubId, MOST_OF_USER);
        ends.look();
      }
      return id;
    },

    async find(id) {
      const now = clock.now();
      const session = await isGood(id);
      if (session === undefined) return undefined;
      const { actor, githubId, digest } = session;
      const isDue = session.replacedAt === undefined && session.renewedAt <= now - RENEW_MS;
      if (isDue && (await sessions.replace(digest, now))) {
        const renewed = await make({ ...session, renewedAt: now, seenAt: now });
        return { actor, githubId, renewed };
      }
      if (session.seenAt <= now - SEE_MS) await sessions.see(digest, now);
      return { actor, githubId, renewed: undefined };
    },

    async end(id) {
      await sessions.remove(digestOf(id));
      ends.look();
    },
    async endAll(who) {
      await sessions.removeOf(who);
      ends.look();
    },

    async invite(actor) {
      const code = randomBytes(32).toString('base64url');
      const expiresAt = clock.now() + LINK_MS;
      await sessions.addLink({ digest: digestOf(code), actor, expiresAt });
      return { code, expiresAt };
    },

    redeem: (code) => sessions.takeLink(digestOf(code), clock.now()),
    spend: (state, expiresAt) => sessions.spend(digestOf(state), expiresAt, clock.now()),
  };
}

function hasEnded(session: Session, now: number): boolean {
  return (
    session.createdAt <= now - SESSION_MS ||
    session.seenAt <= now - IDLE_MS ||
    (session.replacedAt ?? now) <= now - GRACE_MS
  );
}

function digestOf(id: string): string {
  return createHash('sha256').update(id).digest('hex');
}
