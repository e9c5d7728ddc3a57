import { errorCode, TerminalError } from '../lib/errors.ts';
import { checkRef, checkSha } from '../lib/names.ts';
import type { Mirror } from './mirror.ts';
import { readRefs } from './mirror-directory.ts';
import type { Stoppable } from './server-refs.ts';

const LIST_TREE = 'ls-tree -r -z --name-only --full-tree'.split(' ');
const COMPARE = [
  ...'diff-tree -r -z --name-only --no-renames'.split(' '),
  ...'--no-ext-diff --no-textconv --ignore-submodules=none'.split(' '),
];

/**
 * The names of all files that differ between the two commits, old and new name of a moved one. Without `before`, or when it was
 * forced away and is gone, the commit is compared with where it left the default branch, and nothing has changed where another
 * branch has it; where there is no such place, every file has changed. `ref` (`refs/heads/main`) is what was pushed, where that is
 * known. Throws TerminalError `commit-missing` for `after`, `too-many-changes` above `maxPaths` names.
 */
export async function changedPaths(
  mirror: Mirror,
  before: string | undefined,
  after: string,
  { ref }: Stoppable & { ref?: string | undefined } = {},
): Promise<string[]> {
  if (ref !== undefined) checkRef(ref);
  // What is compared with branches is compared with them as they are, and not as the mirror knew them.
  if (before === undefined) await mirror.fetch();
  await mirror.ensure(after);
  const lost = before !== undefined && !(await isToBeHad(mirror, before));
  const base = before === undefined || lost ? await leftAt(mirror, after, ref, lost) : before;
  const args =
    base === undefined
      ? [...LIST_TREE, '--end-of-options', after]
      : [...COMPARE, '--end-of-options', base, after];
  const paths = (await mirror.git(args)).stdout.toString().split('\0').slice(0, -1);
  const { maxPaths } = mirror;
  if (paths.length <= maxPaths) return paths;
  const message = `${paths.length} files changed, more than ${maxPaths} are not looked at`;
  throw new TerminalError('too-many-changes', message);
}

/** What merging a pull request would change. */
export interface MergePreview {
  /** The commit that the base branch is at. */
  base: string;
  /** As `changedPaths`: of the pull request's own commits alone. */
  paths: string[];
}

/**
 * Fetches the base branch (`refs/heads/main`) and the pull request's newest commit, and compares. The commit of a fork is asked of
 * the repository itself, which has it at `refs/pull/<number>/head`; it gets no ref here. Throws TerminalError `ref-missing` when there
 * is no such branch, `commit-missing` when the pull request has other commits by now, and `too-many-changes`.
 */
export async function mergePreview(
  mirror: Mirror,
  base: string,
  head: string,
): Promise<MergePreview> {
  checkSha(head);
  checkRef(base);
  await mirror.fetch();
  await mirror.ensure(head);
  const at = await mirror.commitOf(base);
  if (at === undefined) {
    throw new TerminalError('ref-missing', `${mirror.repository} has no ${base}`);
  }
  const left = await mirror.mergeBase(at, head);
  return { base: at, paths: await changedPaths(mirror, left === '' ? at : left, head) };
}

async function isToBeHad(mirror: Mirror, sha: string): Promise<boolean> {
  try {
    await mirror.ensure(sha);
    return true;
  } catch (error) {
    if (errorCode(error) !== 'commit-missing') throw error;
    return false;
  }
}

/**
 * Where `after` left the default branch, or any other that has it; undefined when it never did, or when it may be the default
 * branch itself. `lost`: there was a commit before, and what it held is not known.
 */
async function leftAt(
  mirror: Mirror,
  after: string,
  ref: string | undefined,
  lost: boolean,
): Promise<string | undefined> {
  const refs = await readRefs(mirror.directory);
  const branches = [...refs.keys()].filter((one) => one.startsWith('refs/heads/'));
  // With one branch only, what was pushed is the default branch: it is new, with all that is in it.
  if (branches.length < 2) return undefined;
  const name = await mirror.defaultBranch();
  const head = name === undefined || name === ref ? undefined : refs.get(name);
  if (head === undefined) return undefined;
  if (!lost && ref !== undefined) {
    const having = await mirror.refsTo(after, ['refs/heads/']);
    if (having.some((one) => one !== ref)) return after;
  }
  const base = await mirror.mergeBase(head, after);
  // A branch that was forced back onto the default branch has lost something, so "nothing changed" would be wrong.
  return base === '' || (lost && base === after) ? undefined : base;
}
