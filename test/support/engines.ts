import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, type TestContext } from 'node:test';
import type { Store } from '../../src/store/index.ts';
import { newStore } from './new-store.ts';
import { usePostgres, type Databases } from './postgres.ts';

/**
 * Each engine by its name, with what opens an empty store on it that is closed after the test. For a test file's
 * top.
 */
export function bothEngines(): [string, (t: TestContext) => Promise<Store>][] {
  let server: Databases;
  before(async () => {
    server = await usePostgres();
  });
  after(() => server.remove());

  return [
    [
      'SQLite',
      async (t) => {
        const directory = await mkdtemp(join(tmpdir(), 'mainsheet-store-'));
        const store = await newStore(join(directory, 'mainsheet.db'));
        t.after(async () => {
          await store.close();
          await rm(directory, { recursive: true, force: true });
        });
        return store;
      },
    ],
    [
      'PostgreSQL',
      async (t) => {
        const store = await server.store();
        t.after(() => store.close());
        return store;
      },
    ],
  ];
}
