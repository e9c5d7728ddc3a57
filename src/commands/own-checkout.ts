import { isAbsolute } from 'node:path';
import type { SimpleGit } from 'simple-git';
import { openGit } from '../git/own-git.ts';
import { describeError, MainsheetError } from '../lib/errors.ts';
import { isRepository } from '../lib/names.ts';

/** The checkout that a command was started in. */
export interface OwnCheckout {
  /** Git in its top folder, as the user has set it up. */
  git: SimpleGit;
  /** The same, with something on its standard input. */
  gitWith: (input: string) => Promise<SimpleGit>;
  /** Its top folder. */
  root: string;
  /** Where it is pushed to: that of the branch, else `origin`. */
  remote: string;
  /** `owner/name`, from the remote's URL. */
  repository: string;
  /** The branch that is checked out. */
  branch: string;
}

/** Throws MainsheetError `not-a-checkout`, `no-branch` or `no-remote`, each with what to do. */
export async function openCheckout(deps: {
  directory: string;
  env: Record<string, string | undefined>;
  signal: AbortSignal;
}): Promise<OwnCheckout> {
  const env = { ...pick(deps.env, ['PATH', 'HOME', 'XDG_CONFIG_HOME']), LC_ALL: 'C' };
  const open = (directory: string, input?: string) =>
    openGit({ directory, env, input, signal: deps.signal });
  const root = await topFolder(await open(deps.directory));
  const git = await open(root);
  const branch = await said(git, 'symbolic-ref', '--quiet', '--short', 'HEAD');
  if (branch === undefined) {
    throw new MainsheetError('no-branch', 'no branch is checked out', {
      hint: 'check out the branch that is deployed: git switch main',
    });
  }
  const remote = (await said(git, 'config', '--get', `branch.${branch}.remote`)) ?? 'origin';
  const url = await said(git, 'remote', 'get-url', '--end-of-options', remote);
  const repository = url === undefined ? undefined : repositoryOf(url);
  if (repository === undefined) {
    const what = url === undefined ? `there is no remote ${remote}` : `${remote} is no repository`;
    throw new MainsheetError('no-remote', what, {
      hint: `name the one at GitHub: git remote ${url === undefined ? 'add' : 'set-url'} ${remote} https://github.com/OWNER/NAME.git`,
    });
  }
  return { git, gitWith: (input) => open(root, input), root, remote, repository, branch };
}

/** What git says, without the line's end; undefined when it says nothing or fails. */
export async function said(git: SimpleGit, ...args: string[]): Promise<string | undefined> {
  const text = await git.raw(args).catch(() => '');
  return text.trim() === '' ? undefined : text.replace(/\n$/, '');
}

/** The last two parts of a path: of `https://github.com/acme/site.git`, `git@github.com:acme/site` or a folder. */
export function repositoryOf(url: string): string | undefined {
  const path = URL.parse(url)?.pathname ?? url.replace(/^[^/]*:/, '');
  const name = path
    .replace(/\/+$/, '')
    .replace(/\.git$/i, '')
    .split('/')
    .slice(-2)
    .join('/');
  return isRepository(name) ? name : undefined;
}

async function topFolder(git: SimpleGit): Promise<string> {
  try {
    const root = (await git.raw('rev-parse', '--show-toplevel')).replace(/\n$/, '');
    if (isAbsolute(root)) return root;
    throw new Error('it has no files');
  } catch (error) {
    throw new MainsheetError('not-a-checkout', 'this folder is not in a checkout of a repository', {
      cause: describeError(error),
      hint: 'go into a clone of the repository that is to be deployed',
    });
  }
}

function pick(env: Record<string, string | undefined>, names: string[]): Record<string, string> {
  return Object.fromEntries(
    names.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]])),
  );
}
