import { sql, type Kysely } from 'kysely';
import { NO_COMMIT, type Move, type PushHistory } from '../model/push-history.ts';
import type { Engine } from './engine.ts';
import { createRepositories } from './repositories.ts';
import type { Database } from './tables.ts';

/** A move of a ref that some delivery tells of. */
export interface SeenPush extends Move {
  repository: string;
  /** The whole ref. */
  ref: string;
  delivery: string;
  /** It was found by looking. */
  found: boolean;
  /** The delivery of the found move that it is a part of. */
  toldBy: string | undefined;
  seenAt: number;
}

/** Sets the advisory locks on repositories apart from other locks in the same database. */
const PUSH_LOCKS = 0x6d73_7068;

/** Longer than any delivery is late: GitHub keeps them for three days. */
const KEPT_MS = 30 * 86_400_000;

/** Newest moves of a ref that matter at once: between two looks there are fewer. */
const MOST_MOVES = 1000;

/** The moves of refs that were taken in, so that one that is told of twice counts once. A repository has any of its names. */
export interface Pushes {
  /**
   * Until the transaction's end nobody else notes pushes of this repository or looks at it, so that what `history` says
   * stays true. Nothing on SQLite, where one transaction is under way at a time.
   */
  lock(repository: string): Promise<void>;
  /** Notes a push once for each delivery, and forgets what is a month old. */
  record(push: SeenPush): Promise<void>;
  /** The refs of which deliveries have told moves since they were last looked at. */
  movedSinceLook(repository: string): Promise<ReadonlySet<string>>;
  /** What is known of a ref: its moves since the last look, and those found before with their parts. */
  history(repository: string, ref: string): Promise<PushHistory>;
  /** Whether a delivery's push was noted. */
  isNoted(delivery: string): Promise<boolean>;
  /** The number of the last push of any ref, which grows; 0 before the first. */
  last(): Promise<number>;
}

export function createPushes(db: Kysely<Database>, engine: Engine): Pushes {
  const { namesOf } = createRepositories(db);
  /** A delivery that comes late may have a former name. */
  const nameNow = async (repository: string) => (await namesOf(repository))[0].toLowerCase();

  return {
    async lock(repository) {
      if (engine === 'sqlite') return;
      const key = sql`hashtext(${await nameNow(repository)})`;
      await sql`select pg_advisory_xact_lock(${PUSH_LOCKS}, ${key})`.execute(db);
    },

    async record({ ref, before, after, delivery, found, toldBy, seenAt, ...push }) {
      const repository = await nameNow(push.repository);
      await db
        .insertInto('pushes')
        .values({
          repository,
          ref,
          before,
          after,
          delivery,
          found: found ? 1 : 0,
          told_by: toldBy ?? null,
          seen_at: seenAt,
        })
        .onConflict((conflict) => conflict.column('delivery').doNothing())
        .execute();
      await db
        .deleteFrom('pushes')
        .where('repository', '=', repository)
        .where('ref', '=', ref)
        .where('seen_at', '<', seenAt - KEPT_MS)
        .execute();
    },

    async movedSinceLook(name) {
      const rows = await db
        .selectFrom('branch_heads as head')
        .select('head.ref')
        .where('head.repository', '=', await nameNow(name))
        .where(({ exists, selectFrom }) =>
          exists(
            selectFrom('pushes as push')
              .select('push.seq')
              .whereRef('push.repository', '=', 'head.repository')
              .whereRef('push.ref', '=', 'head.ref')
              .whereRef('push.seq', '>', 'head.push_seq')
              .where('push.found', '=', 0)
              .where('push.told_by', 'is', null),
          ),
        )
        .execute();
      return new Set(rows.map((row) => row.ref));
    },

    async history(name, ref) {
      const repository = await nameNow(name);
      const seen = await db
        .selectFrom('branch_heads')
        .select(['sha', 'push_seq as seq'])
        .where('repository', '=', repository)
        .where('ref', '=', ref)
        .executeTakeFirst();
      const rows = await db
        .selectFrom('pushes')
        .select([
          'seq',
          'before',
          'after',
          'delivery',
          'found',
          'told_by as toldBy',
          'seen_at as seenAt',
        ])
        .where('repository', '=', repository)
        .where('ref', '=', ref)
        .where((eb) =>
          eb.or([
            eb('seq', '>', seen?.seq ?? 0),
            eb('found', '=', 1),
            eb('told_by', 'is not', null),
          ]),
        )
        .orderBy('seq', 'desc')
        .limit(MOST_MOVES)
        .execute();
      return {
        seen,
        pushes: rows.toReversed().map(({ found, before, toldBy, ...row }) => ({
          ...row,
          before: before ?? NO_COMMIT,
          found: found === 1,
          toldBy: toldBy ?? undefined,
        })),
      };
    },

    async isNoted(delivery) {
      const row = await db
        .selectFrom('pushes')
        .select('seq')
        .where('delivery', '=', delivery)
        .executeTakeFirst();
      return row !== undefined;
    },

    async last() {
      const row = await db
        .selectFrom('pushes')
        .select((eb) => eb.fn.max('seq').as('seq'))
        .executeTakeFirst();
      return row?.seq ?? 0;
    },
  };
}
