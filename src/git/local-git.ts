import { removeForeign } from './foreign-entries.ts';
import { gitEnvironment } from './git-environment.ts';
import { runGit, type GitAnswer } from './git-process.ts';

/** A git call that has no business with any server. */
export interface LocalCall {
  /** What it is for, as the start of an error message: `reading acme/shop`. */
  doing: string;
  args: string[];
  gitDirectory: string;
  /** Undefined for a bare repository. */
  workTree?: string;
  signal?: AbortSignal | undefined;
  /** Exit codes that are answers; default only 0. */
  accept?: number[];
}

/** Runs git, and throws RetryableError or TerminalError as `runGit` says. */
export type LocalGit = (call: LocalCall) => Promise<GitAnswer>;

/**
 * git on directories of our own. The git directory is always named, so that git never looks for one, has nothing in it but what
 * we put there, and no transport is allowed. A call ends after `timeoutMs`, when its signal aborts, and when it writes more than `maxBytes`: SIGTERM first,
 * SIGKILL after `killAfterMs` (default 5000).
 */
export function createLocalGit(deps: {
  environment?: Readonly<Record<string, string | undefined>> | undefined;
  timeoutMs: number;
  maxBytes: number;
  killAfterMs?: number | undefined;
}): LocalGit {
  const { timeoutMs, maxBytes, killAfterMs = 5000 } = deps;
  const common = gitEnvironment({ inherited: deps.environment, protocols: 'none' });

  return async ({ doing, args, gitDirectory, workTree, signal, accept }) => {
    const env: Record<string, string> = { ...common, GIT_DIR: gitDirectory };
    if (workTree !== undefined) env['GIT_WORK_TREE'] = workTree;
    const cwd = workTree ?? gitDirectory;
    await removeForeign(gitDirectory, workTree === undefined ? 'mirror' : 'work-tree');
    return await runGit({
      doing,
      args,
      env,
      cwd,
      signal,
      accept,
      timeoutMs,
      maxBytes,
      killAfterMs,
    });
  };
}
