import { TerminalError } from '../lib/errors.ts';
import { checkRef, checkSha } from '../lib/names.ts';
import type { Standing } from '../model/event.ts';
import { NO_COMMIT, type Move } from '../model/push-history.ts';
import { NO_GRAPH, readGraph, type CommitGraph } from './commit-graph.ts';
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

/** Commits that are listed for many pushes at most. */
const MOST_LISTED = 10_000;

/**
 * The same for many moves of a branch at once: where it is, and the part of its history that has these moves, as far as it is
 * found in one list. What is not in there is to be asked for by itself.
 */
export async function standings(
  mirror: Mirror,
  ref: string,
  moves: readonly Move[],
): Promise<{ head: string | undefined; graph: CommitGraph }> {
  const shas = moves.flatMap(({ before, after }) => [before, after]);
  for (const sha of shas) if (sha !== NO_COMMIT) checkSha(sha);
  if (!ref.startsWith('refs/')) throw new TerminalError('invalid-ref', `${ref} is no whole ref`);
  await mirror.fetch();
  const head = (await readRefs(mirror.directory)).get(ref);
  const below = head === undefined ? undefined : await beginningOf(mirror, moves);
  if (head === undefined || below === undefined) return { head, graph: NO_GRAPH };
  const list = ['rev-list', '--topo-order', '--parents', `--max-count=${MOST_LISTED}`];
  const args = [...list, '--end-of-options', head, `^${below}`];
  // 128: the commit is not there.
  const { exitCode, stdout } = await mirror.git(args, [0, 128]);
  if (exitCode !== 0) return { head, graph: NO_GRAPH };
  const graph = readGraph(stdout.toString(), below, MOST_LISTED);
  for (const { after } of moves) if (graph.has(after)) mirror.remember(after);
  return { head, graph };
}

/** The commit that all of these moves go on from; undefined without one. */
async function beginningOf(mirror: Mirror, moves: readonly Move[]): Promise<string | undefined> {
  const reached = new Set(moves.map(({ after }) => after));
  const begun = new Set(moves.map(({ before }) => before).filter((sha) => !reached.has(sha)));
  if (begun.has(NO_COMMIT)) return undefined;
  const [first, ...others] = begun;
  if (first === undefined || others.length === 0) return first;
  const args = ['merge-base', '--octopus', '--end-of-options', first, ...others];
  const { exitCode, stdout } = await mirror.git(args, [0, 1, 128]);
  return exitCode === 0 ? stdout.toString().trim() : undefined;
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
