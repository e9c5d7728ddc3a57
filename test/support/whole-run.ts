import { chmod, copyFile, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { describeError } from '../../src/lib/errors.ts';
import { PROGRAM } from './controller.ts';
import { SHARED_SERVER, startPostgres, type PostgresServer } from './postgres.ts';

/** Below the packages that it is not bundled with. */
const CACHE = 'node_modules/.cache';

let program: string | undefined;
let server: PostgresServer;

/** What all test files of a run share: https://nodejs.org/api/test.html#global-setup-and-teardown. A file alone does without. */
export async function globalSetup(): Promise<void> {
  program = await bundled().catch((error: unknown) => {
    const why = describeError(error);
    process.stderr.write(`the program cannot be bundled, so the checkout's is started: ${why}\n`);
    return undefined;
  });
  if (program !== undefined) process.env[PROGRAM] = resolve(program, 'dist/src/main.js');
  server = await startPostgres();
  process.env[SHARED_SERVER] = server.directory;
}

/** The program as it is published, which starts in two thirds of the time. */
async function bundled(): Promise<string> {
  const { bundle } = await import('../../bundle.ts');
  await mkdir(CACHE, { recursive: true });
  const directory = await mkdtemp(join(CACHE, 'mainsheet-whole-run-'));
  // Some controllers run as another user.
  await chmod(directory, 0o755);
  const usual = process.umask(0o022);
  await bundle(join(directory, 'dist')).finally(() => process.umask(usual));
  await copyFile('package.json', join(directory, 'package.json'));
  return directory;
}

/** Ends it with the run. */
export async function globalTeardown(): Promise<void> {
  if (program !== undefined) await rm(program, { recursive: true, force: true });
  await server.remove();
}
