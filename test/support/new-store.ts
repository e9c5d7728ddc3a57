import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openSqlite } from '../../src/store/engine.ts';
import { createStore, type Store } from '../../src/store/index.ts';
import type { Db } from '../../src/store/query.ts';

let empty: Promise<Buffer> | undefined;

/** A store on a new SQLite file, whose tables are copied and not made: a tenth of the work, for tests that make hundreds. */
export async function newStore(file: string): Promise<Store> {
  return await createStore(await newDatabase(file));
}

/** The database of such a store. */
export async function newDatabase(file: string): Promise<Db> {
  empty ??= makeEmpty();
  await writeFile(file, await empty, { flag: 'wx' });
  return openSqlite(file);
}

/** The file of a store that was made and closed: closing it brings its log into it. */
async function makeEmpty(): Promise<Buffer> {
  const directory = await mkdtemp(join(tmpdir(), 'mainsheet-empty-'));
  try {
    const file = join(directory, 'empty.db');
    await (await createStore(openSqlite(file))).close();
    return await readFile(file);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
