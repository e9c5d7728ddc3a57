import { TerminalError } from '../lib/errors.ts';
import { checkRef, checkSha } from '../lib/names.ts';
import type { Standing } from '../model/event.ts';
import type { Mirror } from './mirror.ts';
import { readRefs } from './mirror-directory.ts';

// What is asked of a mirror about commits and what leads to them. All throw TerminalError `invalid-sha` or `invalid-ref` before
// git is started, and as `gitFailure` says.

/** Fetches, and returns the commit of a tag (`v1` or `refs/tags/v1`), annotated or not. Throws TerminalError `tag-missing`. */
export async function resolveTag(mirror: Mirror, tag: string): Promise<string> {
  const name = checkRef(tag).replace(/^refs\/tags\//, '');
  await mirror.fetch();
  const sha = await mirror.commitOf(`refs/tags/${name}`);
  if (sha !== undefined) return checkSha(sha);
  const message = `${mirror.repository} has no tag ${name} with a commit`;
  const hint = 'The tag was probably deleted or renamed after the event.';
  throw new TerminalError('tag-missing', message, { hint });
}

/** Whether `descendant` is `ancestor` or has it in its history; false when `ancestor` is gone from the repository. */
export async function isAncestor(
  mirror: Mirror,
  ancestor: string,
  descendant: string,
): Promise<boolean> {
  checkSha(ancestor);
  await mirror.ensure(descendant);
  if (await mirror.has(ancestor)) {
    return (await mirror.mergeBase(ancestor, descendant)) === ancestor;
  }
  // What is not there is not in the history of `descendant`, when that is there as a whole.
  await mirror.git(['rev-list', '--quiet', '--end-of-options', descendant]);
  return false;
}

/**
 * Fetches, and tells where a ref (`refs/heads/main`) is on the server, and whether it leads to the commit. The commit that it
 * is at is in the mirror then. Throws TerminalError `commit-missing` when the server shows a ref, but not yet what it is at.
 */
export async function standing(mirror: Mirror, ref: string, sha: string): Promise<Standing> {
  checkSha(sha);
  // It cannot be taken for an option of git, however its branch is called.
  if (!ref.startsWith('refs/')) throw new TerminalError('invalid-ref', `${ref} is no whole ref`);
  await mirror.fetch();
  if (ref.startsWith('refs/tags/')) {
    const head = await mirror.commitOf(ref);
    return { head, reached: head === sha };
  }
  const head = (await readRefs(mirror.directory)).get(ref);
  if (head === undefined) return { head, reached: false };
  // git does not fetch a ref without what it leads to.
  mirror.remember(head);
  return { head, reached: head === sha || (await mirror.leadsTo(head, sha)) };
}

/**
 * Fetches, and tells what `name` is to the commit: the branch that has it in its history, else a tag that leads to it, or
 * neither. Without a name any branch will do.
 */
export async function kindOfHead(
  mirror: Mirror,
  name: string | undefined,
  sha: string,
): Promise<'branch' | 'tag' | 'neither'> {
  if (name !== undefined) checkRef(name);
  checkSha(sha);
  await mirror.fetch();
  if (name === undefined) {
    // 128 and 129: the commit is not there.
    const branches = await mirror.refsTo(sha, ['refs/heads/'], [0, 128, 129]);
    return branches.length > 0 ? 'branch' : 'neither';
  }
  if (await mirror.leadsTo(`refs/heads/${name}`, sha)) return 'branch';
  return (await mirror.commitOf(`refs/tags/${name}`)) === sha ? 'tag' : 'neither';
}

/** What git says of a commit, beside its files. */
export interface CommitFacts {
  message: string;
  /** ISO 8601, when it was committed. */
  committedAt: string;
  author: { name: string; email: string };
  committer: { name: string; email: string };
}

const SHOW = 'log --max-count=1 --no-show-signature --format=%an%x00%ae%x00%cn%x00%ce%x00%cI%x00%B';

/** What git says of a commit. Bytes that are no UTF-8 become U+FFFD. Throws TerminalError `commit-missing`. */
export async function readCommit(mirror: Mirror, sha: string): Promise<CommitFacts> {
  await mirror.ensure(sha);
  const { stdout } = await mirror.git([...SHOW.split(' '), '--end-of-options', sha]);
  const [author = '', authorMail = '', committer = '', committerMail = '', at = '', ...message] =
    stdout.toString().split('\0');
  return {
    message: message.join('\0').trimEnd(),
    committedAt: at,
    author: { name: author, email: authorMail },
    committer: { name: committer, email: committerMail },
  };
}
