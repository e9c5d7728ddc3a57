import { lstatSync, renameSync } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isUsableDirectory, placeForNew } from '../lib/discard.ts';
import { errorCode, RetryableError, TerminalError } from '../lib/errors.ts';
import { handOver, letPass, type SystemUser } from '../lib/hand-over.ts';
import { findStray, readIndex } from './exactness.ts';
import { keepFile, makeGitDirectory, MIRROR, setBack, WORK_TREE } from './git-directory.ts';
import type { LocalGit } from './git-process.ts';
import { giveStepsGit } from './steps-git.ts';

/** Where a checkout lives: `tree` is what steps see, `git` is ours. */
export interface Place {
  directory: string;
  git: string;
  tree: string;
}

const STATUS =
  'status --porcelain=v2 --branch -z --no-renames --ignore-submodules=all --untracked-files=no'.split(
    ' ',
  );
const HEAD_LINE = '# branch.oid ';
const ALL_OF_IT = { recursive: true, force: true };

export function placeOf(directory: string): Place {
  return { directory, git: join(directory, 'git'), tree: join(directory, 'tree') };
}

/**
 * Whether a checkout was made there, of real directories of our own that may be used. Says nothing about what is in them.
 * A tree that was handed over is never taken again: its user may have left in it what works later (links to files,
 * access control lists, processes that are still there).
 */
export function isWorkTree(place: Place): boolean {
  // All that we write into: a link in their place would lead our writing elsewhere.
  const own = ['objects', 'objects/info', 'info'].map((name) => join(place.git, name));
  const isUsable = [place.directory, place.git, place.tree, ...own].every(isUsableDirectory);
  return isUsable && lstatSync(place.tree).uid === lstatSync(place.git).uid;
}

/** Makes an empty checkout under another name in `workDirectory` and renames it, so that there never is half of one. */
export async function makeWorkTree(place: Place, workDirectory: string): Promise<void> {
  const made = placeOf(placeForNew(workDirectory));
  await mkdir(made.directory, { mode: 0o700 });
  await makeGitDirectory(made.git, WORK_TREE);
  await writeFile(join(made.git, 'HEAD'), 'ref: refs/heads/main\n');
  await mkdir(made.tree);
  await rename(made.directory, place.directory);
}

/** What a tree is brought to. */
export interface Bringing {
  /** `owner/name`. */
  repository: string;
  sha: string;
  /** To whom the tree is to belong, which is made again for each run then; undefined: to this process's user. */
  user?: SystemUser | undefined;
  signal?: AbortSignal | undefined;
  /** Called right before git changes the tree. */
  onStart?: (() => void) | undefined;
}

/**
 * Brings the tree to exactly the commit `sha` of `mirror`, and proves it: HEAD, the contents of every file, and that there is
 * nothing else. Throws RetryableError `checkout-differs`, TerminalError `tree-impossible`, or as `gitFailure` says.
 */
export async function bringTo(
  place: Place,
  { repository, sha, user, signal, onStart }: Bringing,
  mirror: string,
  git: LocalGit,
): Promise<void> {
  const doing = `checking out ${repository} at ${sha}`;
  const call = { doing, gitDirectory: place.git, workTree: place.tree, signal };
  const run = async (...args: string[]) => (await git({ ...call, args })).stdout;

  await keepFile(join(place.git, 'objects/info/alternates'), `${join(mirror, 'objects')}\n`);
  // git reads what that leads to.
  await setBack(mirror, MIRROR);
  // The steps' own: made again below, so that nothing a step left in it is ever read by us. It is out of the way at once.
  const stepsGit = join(place.tree, '.git');
  const old = join(place.directory, 'old');
  await rm(old, ALL_OF_IT);
  if (lstatSync(stepsGit, { throwIfNoEntry: false }) !== undefined) renameSync(stepsGit, old);
  // What is left of it goes the next time.
  const removed = rm(old, ALL_OF_IT).catch(() => undefined);
  const args = ['checkout', '--quiet', '--force', '--detach', sha, '--'];
  await git({ ...call, args, onStart });
  try {
    const index = await readFile(join(place.git, 'index'));
    // Both at once: what is called .git is no part of what is proved.
    const both = await Promise.allSettled([
      giveStepsGit(stepsGit, { sha, mirror, index }, user),
      verify(place, { sha, index }, run),
    ]);
    for (const one of both) if (one.status === 'rejected') throw one.reason;
    await removed;
    if (user === undefined) return;
    await handOver(place.tree, user);
    await letPass(place.directory, user);
  } catch (error) {
    // git goes down directory by directory, and so writes files whose whole path no call takes.
    if (errorCode(error) !== 'ENAMETOOLONG') throw error;
    throw new TerminalError('tree-impossible', `${sha} has a file whose path is too long`, {
      cause: error,
      hint: 'Rename or remove it in the repository.',
    });
  }
}

/** Removes what is no part of the commit, and proves that the tree is it. */
async function verify(
  place: Place,
  { sha, index }: { sha: string; index: Buffer },
  run: (...args: string[]) => Promise<Buffer>,
): Promise<void> {
  const lines = (await run(...STATUS)).toString().split('\0');
  const head = lines.find((line) => line.startsWith(HEAD_LINE))?.slice(HEAD_LINE.length);
  if (head !== sha) throw differs(sha, `HEAD is ${head}`);
  const changed = lines.find((line) => line !== '' && !line.startsWith('#'));
  if (changed !== undefined) throw differs(sha, `${JSON.stringify(changed)} differs`);
  const known = readIndex(index);
  if (known === undefined) throw differs(sha, 'its index may hide changes');
  if ((await findStray(place.tree, known)) === undefined) return;
  await run('clean', '--quiet', '-xffd');
  const stray = await findStray(place.tree, known);
  if (stray !== undefined) throw differs(sha, `${JSON.stringify(stray)} is no part of it`);
}

function differs(sha: string, what: string): RetryableError {
  return new RetryableError('checkout-differs', `the checkout is not ${sha}: ${what}`);
}
