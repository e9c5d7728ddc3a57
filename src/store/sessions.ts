import { createMapping } from './mapping.ts';
import { inParts, list, queries, values, type Db } from './query.ts';

/** A browser that is logged in. Times are milliseconds since the epoch. */
export interface Session {
  /** SHA-256, hex, of the id that the browser holds: who reads the database cannot log in with it. */
  digest: string;
  /** Who is logged in, as the audit table names people. */
  actor: string;
  /** GitHub's number of the user; undefined for a session that the admin token began. */
  githubId: number | undefined;
  /** When the log-in was: kept when the session gets a new id. */
  createdAt: number;
  /** When it got this id. */
  renewedAt: number;
  seenAt: number;
  /** Since when another id has taken its place. */
  replacedAt: number | undefined;
}

const mapping = createMapping<Session>();

export type Sessions = ReturnType<typeof createSessions>;

export function createSessions(db: Db) {
  const { change, value } = queries(db);
  const { all, first } = mapping.of(db);
  return {
    async add(session: Session): Promise<void> {
      await change`insert into sessions ${values([mapping.write(session)])}`;
    },

    get: (digest: string) => first`select * from sessions where digest = ${digest}`,

    /** Those of them that there are. */
    all: (digests: readonly string[]) =>
      inParts(digests, (some) => all`select * from sessions where digest in ${list(some)}`),

    /** Notes that it was used. */
    async see(digest: string, now: number): Promise<void> {
      await change`update sessions set seen_at = ${now} where digest = ${digest}`;
    },

    /** Notes that another id takes its place. False when one has already, or it is gone. */
    async replace(digest: string, now: number): Promise<boolean> {
      const replaced = await change`update sessions set replaced_at = ${now}
        where digest = ${digest} and replaced_at is null`;
      return replaced > 0;
    },

    async remove(digest: string): Promise<void> {
      await change`delete from sessions where digest = ${digest}`;
    },

    /** Every session of a person: of GitHub's user by their number, since names change hands; of others by their name, with the links that log them in. */
    async removeOf({ actor, githubId }: Pick<Session, 'actor' | 'githubId'>): Promise<void> {
      if (githubId !== undefined) {
        await change`delete from sessions where github_id = ${githubId}`;
        return;
      }
      await change`delete from login_links where actor = ${actor}`;
      await change`delete from sessions where actor = ${actor} and github_id is null`;
    },

    /** Keeps the newest sessions that a user of GitHub has begun, and no others of them. */
    async keepNewest(githubId: number, count: number): Promise<void> {
      await change`delete from sessions where github_id = ${githubId}
        and digest not in (select digest from sessions where github_id = ${githubId}
          order by created_at desc, renewed_at desc, digest limit ${count})`;
    },

    /** Those whose log-in was before `created`, or that were last seen before `seen`, or replaced before `replaced`. */
    async removeOld(before: { created: number; seen: number; replaced: number }): Promise<void> {
      await change`delete from sessions where created_at < ${before.created}
        or seen_at < ${before.seen} or replaced_at < ${before.replaced}`;
    },

    /** Notes that a state of GitHub's log-in was used. False when it was before. Forgets those that are too old to be used. */
    async spend(digest: string, expiresAt: number, now: number): Promise<boolean> {
      await change`delete from spent_states where expires_at <= ${now}`;
      const spent = await change`insert into spent_states (digest, expires_at)
        values (${digest}, ${expiresAt}) on conflict (digest) do nothing`;
      return spent > 0;
    },

    async addLink(link: { digest: string; actor: string; expiresAt: number }): Promise<void> {
      await change`insert into login_links (digest, actor, expires_at)
        values (${link.digest}, ${link.actor}, ${link.expiresAt})`;
    },

    /** Takes a link away, so that it serves once, and says whom it logs in; undefined when there is none that is still good. */
    async takeLink(digest: string, now: number): Promise<string | undefined> {
      await change`delete from login_links where expires_at <= ${now}`;
      return await value<string>`delete from login_links where digest = ${digest} returning actor`;
    },
  };
}
