import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import * as fc from 'fast-check';
import { sql } from 'kysely';
import { newDatabase } from '../support/new-store.ts';
import { createStore, type Store } from '../../src/store/index.ts';
import { usePostgres, type Databases } from '../support/postgres.ts';
import { runs } from './runs.ts';
import { commands } from './store-model/commands.ts';
import { drain } from './store-model/drain.ts';
import { checkInvariants } from './store-model/invariants.ts';
import { emptyModel } from './store-model/model.ts';
import { createWorld } from './store-model/world.ts';

const WHAT =
  'whatever happens in whatever order, nothing is lost, doubled, out of order or left open';

/**
 * Random commands against a real store and a model of it: deliveries, runs and callbacks are claimed, worked on, lost and
 * given back by processes that die and others that wake up late, while an operator cancels, retries and rolls back.
 */
async function explore(open: () => Promise<Store>, times: number): Promise<void> {
  await fc.assert(
    fc.asyncProperty(fc.commands(commands(), { maxCommands: 120, size: 'max' }), async (all) => {
      const store = await open();
      try {
        const model = emptyModel();
        const world = createWorld(store, model.now);
        await fc.asyncModelRun(() => ({ model, real: world }), all);
        await checkInvariants(model, store);
        await drain(model, world);
      } finally {
        await store.close();
      }
    }),
    // Shrinking takes its time; what has not ended by then is told as it is.
    { ...runs(times), interruptAfterTimeLimit: 60_000 },
  );
}

describe('the store on SQLite', () => {
  let directory = '';
  let files = 0;

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'mainsheet-model-'));
  });
  after(() => rm(directory, { recursive: true, force: true }));

  test(WHAT, () =>
    explore(async () => {
      files += 1;
      const db = await newDatabase(join(directory, `${files}.db`));
      // The power stays on here; waiting for the disk is for the durability test.
      await sql.raw('pragma synchronous = off').execute(db);
      return await createStore(db);
    }, 30),
  );
});

describe('the store on PostgreSQL', () => {
  let server: Databases;

  before(async () => {
    server = await usePostgres();
  });
  after(() => server.remove());

  test(WHAT, () => explore(() => server.store(), 8));
});
