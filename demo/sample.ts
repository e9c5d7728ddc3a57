import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { SimpleGit } from 'simple-git';
import { openGit } from '../src/git/own-git.ts';
import type { Forge } from './forge.ts';
import { NEUTRAL_GIT } from './git.ts';

/** What a file becomes in a commit; null removes it. */
export type FileChange = string | null | { symlink: string } | { executable: string };

/** Nothing of the machine's hooks, and the message as it was given. */
const COMMIT = { '--allow-empty': null, '--no-verify': null, '--cleanup': 'verbatim' };

interface CommitOptions {
  /** By path in the repository; without any the commit is empty. */
  files?: Record<string, FileChange>;
  message: string;
  /** Default: the branch that is checked out. A new one starts where that one stands. */
  branch?: string;
}

/** A developer's clone of a repository on a forge. */
export interface Sample {
  repository: string;
  directory: string;
  /** Commits on a branch, without pushing; resolves with the commit's SHA. */
  commit: (options: CommitOptions) => Promise<string>;
  /** A real `git push` of refspecs such as `main`, `v1`, `:old` or `HEAD~1:refs/heads/main`. */
  push: (refspecs: string | readonly string[], options?: { force?: boolean }) => Promise<void>;
  /** Tags the commit that is checked out, or `at`; resolves with the tag's SHA (an annotated tag's own object). */
  tag: (name: string, options?: { annotated?: boolean; at?: string }) => Promise<string>;
  /** Any git command in the clone; resolves with its output. */
  git: (...args: string[]) => Promise<string>;
  /** Removes the clone. */
  close: () => Promise<void>;
}

/**
 * Clones a repository of the forge into a temporary directory. With `files` it makes and pushes the first commit on
 * `main`; set the forge's hook afterwards unless that push is to be seen.
 */
export async function createSample(
  forge: Pick<Forge, 'url' | 'token'>,
  repository: string,
  files?: Record<string, FileChange>,
): Promise<Sample> {
  const directory = await mkdtemp(join(tmpdir(), 'mainsheet-sample-'));
  const git = await openGit({ directory, env: { ...NEUTRAL_GIT, ...authorization(forge) } });
  const close = () => rm(directory, { recursive: true, force: true });
  try {
    await clone(git, `${forge.url}/${repository}.git`);
  } catch (error) {
    await close();
    throw error;
  }

  const sample: Sample = {
    repository,
    directory,
    git: async (...args) => (await git.raw(args)).replace(/\n$/, ''),
    async commit(options) {
      await checkOut(git, options.branch);
      for (const [path, change] of Object.entries(options.files ?? {})) {
        await writeChange(join(directory, path), change);
      }
      await git.add(['--all', '--force']);
      await git.commit(options.message, COMMIT);
      return await git.revparse('HEAD');
    },
    async push(refspecs, { force = false } = {}) {
      const list = typeof refspecs === 'string' ? [refspecs] : refspecs;
      await git.raw('push', '--quiet', ...(force ? ['--force'] : []), '--', 'origin', ...list);
    },
    async tag(name, { annotated = false, at = 'HEAD' } = {}) {
      const kind = annotated ? ['--annotate', `--message=${name}`] : [];
      await git.tag([...kind, '--', name, at]);
      return await git.revparse(`refs/tags/${name}`);
    },
    close,
  };
  if (files !== undefined) {
    await sample.commit({ files, message: 'First commit' });
    await sample.push('main');
  }
  return sample;
}

/** Not `git clone`: that would refuse a directory, and warn of a repository without commits. */
async function clone(git: SimpleGit, url: string): Promise<void> {
  await git.init(['--initial-branch=main']);
  await git.addRemote('origin', url);
  await git.fetch(['--tags', 'origin']);
  const { all } = await git.branch(['--remotes']);
  if (all.length > 0) await git.checkout('main');
}

/** The token travels in git's environment: in a URL it would end up in the clone's configuration. */
export function authorization(forge: Pick<Forge, 'url' | 'token'>): Record<string, string> {
  const basic = Buffer.from(`x-access-token:${forge.token}`).toString('base64');
  return {
    GIT_CONFIG_COUNT: '1',
    GIT_CONFIG_KEY_0: `http.${forge.url}/.extraHeader`,
    GIT_CONFIG_VALUE_0: `Authorization: Basic ${basic}`,
  };
}

async function checkOut(git: SimpleGit, branch: string | undefined): Promise<void> {
  if (
    branch === undefined ||
    (await git.raw('symbolic-ref', '--short', 'HEAD')).trim() === branch
  ) {
    return;
  }
  const { all } = await git.branchLocal();
  await git.checkout(all.includes(branch) ? [branch] : ['-b', branch]);
}

async function writeChange(path: string, change: FileChange): Promise<void> {
  await rm(path, { recursive: true, force: true });
  if (change === null) return;
  await mkdir(dirname(path), { recursive: true });
  if (typeof change === 'string') await writeFile(path, change);
  else if ('symlink' in change) await symlink(change.symlink, path);
  else {
    await writeFile(path, change.executable);
    await chmod(path, 0o755);
  }
}
