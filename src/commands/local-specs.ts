import { realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { parseStepLimits } from '../config/step-limits.ts';
import { Wrong } from '../config/wrong.ts';
import { errorCode, MainsheetError } from '../lib/errors.ts';
import type { GitServers } from '../lib/servers.ts';
import type { StepLimits } from '../lib/step-limits.ts';
import { listSpecFiles } from '../spec/files.ts';
import { loadListing, type Loaded } from '../spec/load.ts';
import { UsageError } from './usage-error.ts';

/**
 * The specs in a directory or in one file of this machine. Files in problems are named from where the user stands, so that a
 * terminal can make them links. `servers`: those that are
 * set, where they are known. Throws MainsheetError `specs-not-here` or `specs-unreadable`.
 */
export async function loadLocalSpecs(
  path: string,
  allowed: StepLimits = {},
  servers?: GitServers,
): Promise<Loaded> {
  if (path.startsWith('github:')) {
    throw new MainsheetError('specs-not-here', `the deployment specs are at ${path}`, {
      hint: 'clone that repository and give the path of the specs in the clone',
    });
  }
  const kind = await kindOf(path);
  if (kind === 'file') {
    const file = { path, realPath: await realpath(path), mark: '' };
    return await loadListing(
      { files: [file], sealed: [], problems: [] },
      { allowed, servers, isWhole: false },
    );
  }
  const { specs, hooks, problems, warnings } = await loadListing(await listSpecFiles(path), {
    allowed,
    servers,
  });
  const place = (file: string) => (file === path ? path : join(path, file));
  return {
    specs: specs.map((loaded) => ({ ...loaded, file: place(loaded.file) })),
    hooks: hooks.map((loaded) => ({ ...loaded, file: place(loaded.file) })),
    problems: problems.map((problem) => ({ ...problem, file: place(problem.file) })),
    warnings: warnings.map((warning) => ({ ...warning, file: place(warning.file) })),
  };
}

/** What a step may use at most, as the server would take it. Throws UsageError `invalid-limits`. */
export function allowedLimits(env: Record<string, string | undefined>): StepLimits {
  const text = env['MAINSHEET_STEP_LIMITS']?.trim() ?? '';
  const limits = text === '' ? {} : parseStepLimits(text);
  if (!(limits instanceof Wrong)) return limits;
  const mistakes = limits.messages.map((message) => `MAINSHEET_STEP_LIMITS ${message}`);
  throw new UsageError('invalid-limits', mistakes.join('; '));
}

/** Where specs are unless an option says otherwise. */
export function defaultSpecsPath(env: Record<string, string | undefined>): string {
  return env['MAINSHEET_DEPLOYMENTS']?.trim() || './deployments';
}

async function kindOf(path: string): Promise<'file' | 'directory'> {
  try {
    return (await stat(path)).isFile() ? 'file' : 'directory';
  } catch (error) {
    const isMissing = errorCode(error) === 'ENOENT';
    const message = isMissing ? `there is no ${path}` : `cannot read the specs at ${path}`;
    throw new MainsheetError('specs-unreadable', message, {
      ...(!isMissing && { cause: error }),
      hint: 'give the path of a spec, or of a directory of specs (default: $MAINSHEET_DEPLOYMENTS, or ./deployments); "mainsheet init" writes a first one',
    });
  }
}
