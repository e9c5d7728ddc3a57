import { lstat, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { RetryableError, TerminalError } from '../lib/errors.ts';
import { handOver, letPass, type Owner } from '../lib/owner.ts';
import { isUsableDirectory, placeForNew } from './discard.ts';
import { removeForeign } from './foreign-entries.ts';
import type { GitAnswer } from './git-process.ts';
import type { LocalGit } from './local-git.ts';
import { keepConfig } from './mirror-directory.ts';
import { readRefs } from './mirror-refs.ts';
import { readIndex } from './read-index.ts';
import { linkObjects } from './shared-objects.ts';
import { findStray } from './stray-entries.ts';

/** Where a checkout lives: `tree` is what steps see, `git` is ours. */
export interface Place {
  directory: string;
  git: string;
  tree: string;
}

const CONFIG = `[core]
\trepositoryformatversion = 0
\tfilemode = true
\tbare = false
\tlogallrefupdates = false
[gc]
\tauto = 0
`;

/**
 * The attributes that win over every other: no filter, no line ending, no encoding, no keyword is applied. What is in the
 * tree are the bytes of the commit, whatever its `.gitattributes` say.
 */
const ATTRIBUTES = '* -filter -text -eol -ident -working-tree-encoding -crlf\n';

const STATUS =
  'status --porcelain=v2 --branch -z --no-renames --ignore-submodules=all --untracked-files=no'.split(
    ' ',
  );
const HEAD_LINE = '# branch.oid ';

const ORIGIN = 'refs/remotes/origin/';
/** Refs that steps see at most. */
const MOST_REFS = 20_000;

export function placeOf(directory: string): Place {
  return { directory, git: join(directory, 'git'), tree: join(directory, 'tree') };
}

/**
 * Whether a checkout was made there, of real directories of our own that may be used. Says nothing about what is in them.
 * A tree that was handed over is never taken again: its owner may have left in it what works later (links to files,
 * access control lists, processes that are still there).
 */
export async function isWorkTree(place: Place): Promise<boolean> {
  // All that we write into: a link in their place would lead our writing elsewhere.
  const own = ['objects', 'objects/info', 'info'].map((name) => join(place.git, name));
  const parts = [place.directory, place.git, place.tree, ...own];
  if (!(await Promise.all(parts.map((part) => isUsableDirectory(part)))).every(Boolean))
    return false;
  return (await lstat(place.tree)).uid === (await lstat(place.git)).uid;
}

/** Makes an empty checkout: aside, in `workDirectory`, so that there never is half of one. */
export async function makeWorkTree(place: Place, workDirectory: string): Promise<void> {
  const made = placeOf(placeForNew(workDirectory));
  await mkdir(made.directory, { mode: 0o700 });
  await makeGitDirectory(made.git);
  await writeFile(join(made.git, 'HEAD'), 'ref: refs/heads/main\n');
  await mkdir(made.tree);
  await rename(made.directory, place.directory);
}

/** What git is run with for a checkout. With `owner` the tree belongs to it afterwards, and is to be made anew for it. */
export interface BringDeps {
  git: LocalGit;
  signal: AbortSignal | undefined;
  owner: Owner | undefined;
}

/**
 * Brings the tree to exactly the commit `sha`, whose objects are in `mirror`, and proves it: HEAD, the contents of every
 * file, and that there is nothing else. Throws RetryableError `checkout-differs`, TerminalError `tree-impossible`, or as
 * `gitFailure` says.
 */
export async function bringTo(
  place: Place,
  commit: { sha: string; mirror: string; repository: string },
  deps: BringDeps,
): Promise<void> {
  const { sha, mirror, repository } = commit;
  const run = async (...args: string[]): Promise<GitAnswer> =>
    await deps.git({
      doing: `checking out ${repository} at ${sha}`,
      args,
      gitDirectory: place.git,
      workTree: place.tree,
      signal: deps.signal,
    });

  await keepOurs(place.git, mirror);
  // git reads what that leads to.
  await removeForeign(mirror, 'mirror');
  // The steps' own: made anew below, so that nothing a step left in it is ever read by us.
  await rm(join(place.tree, '.git'), { recursive: true, force: true });
  await run('checkout', '--quiet', '--force', '--detach', sha, '--');
  try {
    const index = await verify(place, sha, run);
    await giveGitDirectory(join(place.tree, '.git'), index, commit, deps.owner);
    if (deps.owner === undefined) return;
    await handOver(place.tree, deps.owner);
    await letPass(place.directory, deps.owner);
  } catch (error) {
    throw isTooLong(error) ? tooLong(sha, error) : error;
  }
}

/** git goes down directory by directory, and so writes files whose whole path no call takes. */
function tooLong(sha: string, cause: unknown): TerminalError {
  return new TerminalError('tree-impossible', `${sha} has a file whose path is too long`, {
    cause,
    hint: 'Rename or remove it in the repository.',
  });
}

function isTooLong(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENAMETOOLONG';
}

async function keepOurs(gitDirectory: string, mirror: string): Promise<void> {
  await keepSettings(gitDirectory);
  await keepConfig(
    join(gitDirectory, 'objects', 'info', 'alternates'),
    `${join(mirror, 'objects')}\n`,
  );
}

async function keepSettings(gitDirectory: string): Promise<void> {
  await keepConfig(join(gitDirectory, 'config'), CONFIG);
  await keepConfig(join(gitDirectory, 'info', 'attributes'), ATTRIBUTES);
}

async function makeGitDirectory(path: string): Promise<void> {
  // Fails when there is anything already, a link for example.
  await mkdir(path, { mode: 0o700 });
  await mkdir(join(path, 'objects', 'info'), { recursive: true });
  await mkdir(join(path, 'refs'));
  await mkdir(join(path, 'info'));
}

/** Removes what is no part of the commit, proves that the tree is it, and returns the index. */
async function verify(
  place: Place,
  sha: string,
  run: (...args: string[]) => Promise<GitAnswer>,
): Promise<Buffer> {
  const { stdout } = await run(...STATUS);
  const lines = stdout.toString().split('\0');
  const head = lines.find((line) => line.startsWith(HEAD_LINE))?.slice(HEAD_LINE.length);
  if (head !== sha) throw differs(sha, `HEAD is ${head}`);
  const changed = lines.find((line) => line !== '' && !line.startsWith('#'));
  if (changed !== undefined) throw differs(sha, `${JSON.stringify(changed)} differs`);
  const index = await readFile(join(place.git, 'index'));
  const known = readIndex(index);
  if (known === undefined) throw differs(sha, 'its index may hide changes');
  if ((await findStray(place.tree, known)) === undefined) return index;
  await run('clean', '--quiet', '-xffd');
  const stray = await findStray(place.tree, known);
  if (stray === undefined) return index;
  throw differs(sha, `${JSON.stringify(stray)} is no part of it`);
}

function differs(sha: string, what: string): RetryableError {
  return new RetryableError('checkout-differs', `the checkout is not ${sha}: ${what}`);
}

/**
 * A `.git` for the steps, so that `git log`, `git describe` and the like work in the checkout. It borrows the mirror's
 * objects and copies its refs; whatever a step does to it ends with the next checkout. Another user cannot read the
 * mirror, so for an `owner` the files of its objects get a second name here.
 */
async function giveGitDirectory(
  path: string,
  index: Buffer,
  { sha, mirror }: { sha: string; mirror: string },
  owner: Owner | undefined,
): Promise<void> {
  const refs = [...(await readRefs(mirror))].slice(0, MOST_REFS);
  const lines = refs.map(([ref, at]) => `${at} ${ref.replace(/^refs\/heads\//, ORIGIN)}\n`);
  await makeGitDirectory(path);
  if (owner === undefined) {
    await keepOurs(path, mirror);
  } else {
    await keepSettings(path);
    // After the refs were read, so that no object that they need is missed.
    await linkObjects(join(mirror, 'objects'), join(path, 'objects'));
  }
  await writeFile(join(path, 'packed-refs'), lines.join(''));
  await writeFile(join(path, 'index'), index);
  // Last, for without HEAD git does not take the directory for a repository.
  await writeFile(join(path, 'HEAD'), `${sha}\n`);
}
