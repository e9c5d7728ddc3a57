import { MIRROR, setBack, WORK_TREE } from './git-directory.ts';
import { gitEnvironment } from './git-environment.ts';
import { runGit, type GitAnswer, type GitRun, type Inherited } from './git-process.ts';

/** A git call that has no business with any server. Without a work tree the git directory is a mirror. */
export type LocalCall = Pick<GitRun, 'doing' | 'args' | 'signal' | 'accept'> & {
  gitDirectory: string;
  workTree?: string;
};

/** Runs git, and throws RetryableError or TerminalError as `runGit` says. */
export type LocalGit = (call: LocalCall) => Promise<GitAnswer>;

/**
 * git on directories of our own, which are set back first. The git directory is always named, so that git never looks for one,
 * and no transport is allowed.
 */
export function createLocalGit(
  deps: Pick<GitRun, 'timeoutMs' | 'maxBytes' | 'killAfterMs'> & Inherited,
): LocalGit {
  const { environment, timeoutMs, maxBytes, killAfterMs } = deps;
  const common = gitEnvironment({ inherited: environment, protocols: 'none' });

  return async ({ gitDirectory, workTree, ...call }) => {
    await setBack(gitDirectory, workTree === undefined ? MIRROR : WORK_TREE);
    const env: Record<string, string> = { ...common, GIT_DIR: gitDirectory };
    if (workTree !== undefined) env['GIT_WORK_TREE'] = workTree;
    const cwd = workTree ?? gitDirectory;
    return await runGit({ ...call, env, cwd, timeoutMs, maxBytes, killAfterMs });
  };
}
