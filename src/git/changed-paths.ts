import { TerminalError } from '../lib/errors.ts';
import type { GitAnswer } from './git-process.ts';

/** git in one mirror. */
export type MirrorGit = (args: string[], accept?: number[]) => Promise<GitAnswer>;

const LIST_TREE = 'ls-tree -r -z --name-only --full-tree'.split(' ');
const COMPARE =
  'diff-tree -r -z --name-only --no-renames --no-ext-diff --no-textconv --ignore-submodules=none'.split(
    ' ',
  );

/** What is compared. Both commits are in the mirror; their names were checked. */
export interface Change {
  /** Undefined when the branch is new. */
  before: string | undefined;
  after: string;
  /** `before` is known but was forced away: what it held, nobody knows. */
  lost: boolean;
  /** Which ref was pushed, where it is known: `refs/heads/main`. */
  ref: string | undefined;
  limit: number;
}

/**
 * The names of all files that differ between the two commits, old and new name of a moved one. Without `before` the
 * commit is compared with where it left the default branch, and nothing has changed where another branch has it; where there is
 * no such place, every file has changed. Throws
 * TerminalError `too-many-changes` above `limit` names.
 */
export async function readChangedPaths(git: MirrorGit, change: Change): Promise<string[]> {
  const base = change.before ?? (await branchingPoint(git, change));
  const { stdout } = await git(
    base === undefined
      ? [...LIST_TREE, '--end-of-options', change.after]
      : [...COMPARE, '--end-of-options', base, change.after],
  );
  const paths = stdout.toString().split('\0');
  paths.pop();
  if (paths.length <= change.limit) return paths;
  throw new TerminalError(
    'too-many-changes',
    `${paths.length} files changed, more than ${change.limit} are not looked at`,
  );
}

/**
 * Where `after` left the default branch, or any other that has it; undefined when it never did, or when it may be the default
 * branch itself.
 */
async function branchingPoint(git: MirrorGit, change: Change): Promise<string | undefined> {
  const head = await defaultBranch(git);
  if (head === undefined || change.ref === head || (await isOnlyBranch(git))) return undefined;
  if (!change.lost && (await isOnAnother(git, change))) return change.after;
  const { exitCode, stdout } = await git(
    ['merge-base', '--end-of-options', head, change.after],
    [0, 1],
  );
  if (exitCode !== 0) return undefined;
  const base = stdout.toString().trim();
  // A branch that was forced back onto the default branch has lost something, so "nothing changed" would be wrong.
  return change.lost && base === change.after ? undefined : base;
}

/** Whether a branch other than the pushed one has the commit, so that it is not new. */
async function isOnAnother(git: MirrorGit, { ref, after }: Change): Promise<boolean> {
  if (ref === undefined) return false;
  const args = ['for-each-ref', '--count=2', '--format=%(refname)', `--contains=${after}`];
  const { stdout } = await git([...args, 'refs/heads/']);
  return stdout
    .toString()
    .split('\n')
    .some((name) => name !== '' && name !== ref);
}

async function defaultBranch(git: MirrorGit): Promise<string | undefined> {
  const { stdout } = await git(['symbolic-ref', '--quiet', 'HEAD'], [0, 1]);
  const head = stdout.toString().trim();
  if (head === '') return undefined;
  const { exitCode } = await git(
    ['rev-parse', '--verify', '--quiet', '--end-of-options', `${head}^{commit}`],
    [0, 1, 128],
  );
  return exitCode === 0 ? head : undefined;
}

/** With one branch only, what was pushed is the default branch: it is new, with all that is in it. */
async function isOnlyBranch(git: MirrorGit): Promise<boolean> {
  const { stdout } = await git(['for-each-ref', '--count=2', '--format=x', 'refs/heads/']);
  return stdout.toString().trim().split('\n').length < 2;
}
