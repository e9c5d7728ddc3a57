import { sql, type Kysely } from 'kysely';
import type { Engine } from './engine.ts';
import type { Database } from './tables.ts';

/** A move of a branch that some delivery told of. */
export interface SeenPush {
  repository: string;
  /** The whole ref. */
  ref: string;
  /** Undefined when the branch was made by it. */
  before: string | undefined;
  after: string;
  delivery: string;
  seenAt: number;
}

/** Sets the advisory locks on repositories apart from other locks in the same database. */
const PUSH_LOCKS = 0x6d73_7068;

/** Longer than any delivery is late: GitHub keeps them for three days. */
const KEPT_MS = 30 * 86_400_000;

/** The moves of branches that were taken in, so that one that is told of twice counts once. */
export interface Pushes {
  /**
   * Until the transaction's end nobody else notes pushes of this repository, so that what `broughtTo` says stays true. Nothing on
   * SQLite, where one transaction is under way at a time.
   */
  lock(repository: string): Promise<void>;
  /** Notes a push once for each delivery, and forgets what is a month old. */
  record(push: SeenPush): Promise<void>;
  /**
   * The delivery that brought a branch to a commit; undefined when none did, or when a later push moved the branch away
   * from there again.
   */
  broughtTo(repository: string, ref: string, sha: string): Promise<string | undefined>;
  /** The number of a branch's last push, which grows; 0 before the first. */
  last(repository: string, ref: string): Promise<number>;
}

export function createPushes(db: Kysely<Database>, engine: Engine): Pushes {
  return {
    async lock(repository) {
      if (engine === 'sqlite') return;
      const key = sql`hashtext(${repository.toLowerCase()})`;
      await sql`select pg_advisory_xact_lock(${PUSH_LOCKS}, ${key})`.execute(db);
    },

    async record({ before, seenAt, ...push }) {
      const repository = push.repository.toLowerCase();
      await db
        .insertInto('pushes')
        .values({ ...push, repository, before: before ?? null, seen_at: seenAt })
        .onConflict((conflict) => conflict.column('delivery').doNothing())
        .execute();
      await db
        .deleteFrom('pushes')
        .where('repository', '=', repository)
        .where('ref', '=', push.ref)
        .where('seen_at', '<', seenAt - KEPT_MS)
        .execute();
    },

    async broughtTo(repository, ref, sha) {
      const row = await db
        .selectFrom('pushes as p')
        .select('p.delivery')
        .where('p.repository', '=', repository.toLowerCase())
        .where('p.ref', '=', ref)
        .where('p.after', '=', sha)
        .where(({ not, exists, selectFrom }) =>
          not(
            exists(
              selectFrom('pushes as later')
                .select('later.seq')
                .whereRef('later.repository', '=', 'p.repository')
                .whereRef('later.ref', '=', 'p.ref')
                .where('later.before', '=', sha)
                .whereRef('later.seq', '>', 'p.seq'),
            ),
          ),
        )
        .orderBy('p.seq', 'desc')
        .limit(1)
        .executeTakeFirst();
      return row?.delivery;
    },

    async last(repository, ref) {
      const row = await db
        .selectFrom('pushes')
        .select('seq')
        .where('repository', '=', repository.toLowerCase())
        .where('ref', '=', ref)
        .orderBy('seq', 'desc')
        .limit(1)
        .executeTakeFirst();
      return row?.seq ?? 0;
    },
  };
}
