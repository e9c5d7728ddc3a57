import type { SqliteDatabase, SqliteStatement } from 'kysely';

/** Statements kept at most: more than Mainsheet has, few enough to cost nothing. */
const MOST_STATEMENTS = 500;

/**
 * The database with its statements kept, because Kysely prepares each again and most of what Mainsheet says to SQLite it
 * says again and again. Safe because Kysely runs one statement at a time to its end.
 */
export function withPreparedStatements(database: SqliteDatabase): SqliteDatabase {
  const statements = new Map<string, SqliteStatement>();
  return {
    prepare(sql) {
      const known = statements.get(sql);
      if (known !== undefined) return known;
      if (statements.size >= MOST_STATEMENTS) statements.clear();
      const statement = database.prepare(sql);
      statements.set(sql, statement);
      return statement;
    },
    close: () => database.close(),
  };
}
