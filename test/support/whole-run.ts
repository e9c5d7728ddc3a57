import { copyFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { bundle } from '../../bundle.ts';
import { PROGRAM } from './controller.ts';
import { SHARED_SERVER, startPostgres, type PostgresServer } from './postgres.ts';

/** Below the packages that it is not bundled with. */
const BUNDLE = 'node_modules/.cache/mainsheet-whole-run';

let server: PostgresServer;

/** What all test files of a run share: https://nodejs.org/api/test.html#global-setup-and-teardown. A file alone does without. */
export async function globalSetup(): Promise<void> {
  server = await startPostgres();
  process.env[SHARED_SERVER] = server.directory;
  // As it is published, it starts in two thirds of the time.
  await bundle(BUNDLE);
  await copyFile('package.json', `${BUNDLE}/package.json`);
  process.env[PROGRAM] = resolve(BUNDLE, 'src/main.js');
}

/** Ends it with the run. */
export async function globalTeardown(): Promise<void> {
  await server.remove();
}
