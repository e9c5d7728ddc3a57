import { SHARED_SERVER, startPostgres, type PostgresServer } from './postgres.ts';

let server: PostgresServer;

/** What all test files of a run share: https://nodejs.org/api/test.html#global-setup-and-teardown. A file alone does without. */
export async function globalSetup(): Promise<void> {
  server = await startPostgres();
  process.env[SHARED_SERVER] = server.directory;
}

/** Ends it with the run. */
export async function globalTeardown(): Promise<void> {
  await server.remove();
}
