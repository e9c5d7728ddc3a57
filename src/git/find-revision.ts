import { TerminalError } from '../lib/errors.ts';
import { checkRef, isObjectName } from '../lib/names.ts';
import type { MirrorGit } from './changed-paths.ts';

/** A commit, and the branch or tag that leads to it: a whole ref. */
export interface Revision {
  sha: string;
  ref: string;
}

/**
 * What a person calls a revision: a branch, a tag, the whole ref of one, or a commit by at least 7 of its digits. A commit
 * counts only while a branch or tag of the repository leads to it, `prefer` before all others: GitHub hands out by its digits
 * what stands in forks. Without a name it is where the default branch is. The mirror is fetched. Throws TerminalError `revision-unknown`, `revision-ambiguous`, `invalid-ref`.
 */
export async function findRevision(
  git: MirrorGit,
  repository: string,
  name: string | undefined,
  prefer: string | undefined,
): Promise<Revision> {
  if (name === undefined) return await defaultBranch(git, repository);
  const isWhole = isObjectName(name);
  const named = isWhole ? [] : await branchOrTag(git, checkRef(name));
  const [first, second] = named;
  if (first !== undefined && second !== undefined && first.sha !== second.sha) {
    throw new TerminalError(
      'revision-ambiguous',
      `${repository} has both a branch and a tag ${name}, at different commits`,
      { hint: `write refs/heads/${name} or refs/tags/${name}` },
    );
  }
  if (first !== undefined) return first;
  const sha = /^[0-9a-f]{7,64}$/.test(name) ? await commitOf(git, name) : undefined;
  if (sha === undefined) {
    throw new TerminalError('revision-unknown', `${repository} has no revision ${name}`, {
      hint: 'name a branch, a tag, or a commit by at least 7 of its digits',
    });
  }
  const ref = await refTo(git, sha, prefer);
  if (ref !== undefined) return { sha, ref };
  throw new TerminalError(
    'revision-unknown',
    `no branch or tag of ${repository} leads to ${sha.slice(0, 7)}`,
    { hint: 'push it to a branch of the repository first' },
  );
}

async function defaultBranch(git: MirrorGit, repository: string): Promise<Revision> {
  const { stdout } = await git(['symbolic-ref', '--quiet', 'HEAD'], [0, 1]);
  const ref = stdout.toString().trim();
  const sha = ref === '' ? undefined : await commitOf(git, ref);
  if (sha !== undefined) return { sha, ref };
  throw new TerminalError('revision-unknown', `${repository} has no default branch with a commit`, {
    hint: 'name a branch or tag',
  });
}

async function branchOrTag(git: MirrorGit, name: string): Promise<Revision[]> {
  const refs = /^refs\/(?:heads|tags)\/./.test(name)
    ? [name]
    : [`refs/heads/${name}`, `refs/tags/${name}`];
  const found: Revision[] = [];
  for (const ref of refs) {
    const sha = await commitOf(git, ref);
    if (sha !== undefined) found.push({ sha, ref });
  }
  return found;
}

/** The commit that a name of git's leads to. */
export async function commitOf(git: MirrorGit, name: string): Promise<string | undefined> {
  const { exitCode, stdout } = await git(
    ['rev-parse', '--verify', '--quiet', '--end-of-options', `${name}^{commit}`],
    [0, 1, 128],
  );
  return exitCode === 0 ? stdout.toString().trim() : undefined;
}

async function refTo(
  git: MirrorGit,
  sha: string,
  prefer: string | undefined,
): Promise<string | undefined> {
  const { stdout } = await git([
    'for-each-ref',
    '--format=%(refname)',
    `--contains=${sha}`,
    'refs/heads',
    'refs/tags',
  ]);
  const refs = stdout.toString().split('\n').filter(Boolean);
  return refs.find((ref) => ref === prefer) ?? refs[0];
}
