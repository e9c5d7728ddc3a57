import { sql } from 'kysely';
import { engineOf, queries, type Db, type Sql } from './query.ts';

/** Sets each kind of advisory locks apart from the others, and from other programs' in the same database. */
const KINDS = {
  schema: 0x6d73_7363,
  lanes: 0x6d73_6c6e,
  pauses: 0x6d73_7073,
  pushes: 0x6d73_7068,
  accounts: 0x4d52_4955,
};

/**
 * Until the transaction's end no other has the lock of this kind and name; `shared`: but those that want it shared too. Nothing
 * on SQLite, where one transaction is under way at a time.
 */
export async function lockUntilEnd(
  db: Db,
  kind: keyof typeof KINDS,
  name: string | Sql,
  how: 'alone' | 'shared' = 'alone',
): Promise<void> {
  if (engineOf(db) === 'sqlite') return;
  const lock = how === 'alone' ? sql`pg_advisory_xact_lock` : sql`pg_advisory_xact_lock_shared`;
  await queries(db).all`select ${lock}(${KINDS[kind]}, hashtext(${name}))`;
}
