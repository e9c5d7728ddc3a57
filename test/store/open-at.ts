import { openSqlite } from '../../src/store/engine.ts';
import { createStore, type Store } from '../../src/store/index.ts';
import { openPostgres } from '../../src/store/postgres.ts';

/** The store at a PostgreSQL URL or in an SQLite file. */
export async function openAt(place: string): Promise<Store> {
  return place.startsWith('postgres:')
    ? await createStore(openPostgres(place))
    : await createStore(openSqlite(place));
}
