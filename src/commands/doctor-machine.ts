import { access, constants, mkdtemp, rmdir, stat, statfs } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { openGit } from '../git/own-git.ts';
import { describeError, errorCode, MainsheetError } from '../lib/errors.ts';
import type { LoadedSpec } from '../model/deployment-spec.ts';
import { findShell } from '../steps/shell.ts';
import { findProgram } from '../steps/find-program.ts';
import { stepKindOf } from '../steps/index.ts';
import { about, type Check } from './doctor-check.ts';

/** Older ones do not read configuration from the environment, which is where credentials are. */
const LEAST_GIT = [2, 31] as const;
const MB = 1024 * 1024;
const TOO_LITTLE_SPACE = 100 * MB;
const LITTLE_SPACE = 1024 * MB;

/** Whether the programs are there that steps of the specs name. */
export async function checkPrograms(
  specs: readonly Pick<LoadedSpec, 'spec'>[],
  path: string,
): Promise<Check[]> {
  const named = specs.flatMap(({ spec }) =>
    [...spec.steps, ...(spec.teardown ?? [])].flatMap(
      (step) => stepKindOf(step).programs?.(step) ?? [],
    ),
  );
  return await Promise.all(
    [...new Set(named)].map(async (program): Promise<Check> => {
      const { ok, fail } = about(program);
      const found = await findProgram(program, path);
      if (found !== undefined) return ok(found);
      const hint = 'install it, or correct the PATH that Mainsheet is started with';
      return fail('a step needs it, and it is not on the PATH', hint);
    }),
  );
}

/** Whether git is there and new enough. */
export async function checkGit(env: Record<string, string | undefined>): Promise<Check> {
  const { ok, fail } = about('git');
  const hint = `install git ${LEAST_GIT.join('.')} or newer, and see that it is on the PATH`;
  let version: string;
  try {
    const signal = AbortSignal.timeout(10_000);
    const git = await openGit({ directory: '/', env: { PATH: env['PATH'] ?? '' }, signal });
    version = (await git.raw('version')).trim();
  } catch (error) {
    const missing = error instanceof Error && error.message.includes('ENOENT');
    const detail = missing ? 'it is not there' : describeError(error);
    return fail(detail, hint);
  }
  const [, number = '', major, minor] = /((\d+)\.(\d+)[\d.]*)/.exec(version) ?? [];
  const [leastMajor, leastMinor] = LEAST_GIT;
  const enough =
    Number(major) > leastMajor || (Number(major) === leastMajor && Number(minor) >= leastMinor);
  return enough ? ok(number) : fail(`${version} is too old`, hint);
}

/** Whether there is a shell for the steps. */
export async function checkShell(): Promise<Check> {
  const { ok, warn, failed } = about('shell');
  try {
    const { path } = await findShell();
    if (path.endsWith('bash')) return ok(path);
    return warn(`${path}: steps run without "pipefail"`, 'install bash');
  } catch (error) {
    return failed(error);
  }
}

/** Whether the data directory can be written to and has room. It is not made here. */
export async function checkDataDirectory(directory: string): Promise<Check[]> {
  const { ok, fail } = about('data directory');
  const path = resolve(directory);
  const hint = 'give the user that runs Mainsheet the directory, or set MAINSHEET_DATA_DIR';
  let place = path;
  try {
    place = await nearest(path);
    await access(place, constants.W_OK | constants.X_OK);
    // Access rights do not tell of a read-only file system, of one without inodes, or of one like /proc.
    await rmdir(await mkdtemp(join(place, '.doctor-')));
  } catch (error) {
    const detail = `${place} cannot be written to: ${describeError(error)}`;
    return [fail(detail, hint)];
  }
  const made = place === path ? '' : ', which the first start makes';
  return [ok(`${path}${made}`), await checkSpace(place)];
}

async function checkSpace(directory: string): Promise<Check> {
  const { bavail, bsize } = await statfs(directory);
  const free = bavail * bsize;
  const detail = `${Math.floor(free / MB)} MB free`;
  const hint = 'make room, or set MAINSHEET_DATA_DIR to a larger disk';
  const state = free < TOO_LITTLE_SPACE ? 'fail' : free < LITTLE_SPACE ? 'warn' : 'ok';
  return { subject: 'disk', state, detail, ...(state === 'ok' ? {} : { hint }) };
}

/** The path itself, or the nearest directory above it that exists. */
async function nearest(path: string): Promise<string> {
  try {
    if ((await stat(path)).isDirectory()) return path;
    throw new MainsheetError('not-a-directory', 'it is not a directory');
  } catch (error) {
    if (errorCode(error) !== 'ENOENT' || dirname(path) === path) throw error;
    return await nearest(dirname(path));
  }
}
