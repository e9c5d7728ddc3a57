import { TerminalError } from '../lib/errors.ts';
import { checkRef, isObjectName } from '../lib/names.ts';
import type { Mirror } from './mirror.ts';
import type { Stoppable } from './server-refs.ts';

/** A commit, and the branch or tag that leads to it: a whole ref. */
export interface Revision {
  sha: string;
  ref: string;
}

/**
 * Fetches, and finds what a person calls a revision: a branch, a tag, the whole ref of one, or a commit by at least 7 of its digits. A commit
 * counts only while a branch or tag of the repository leads to it, `prefer` before all others: GitHub hands out by its digits
 * what stands in forks. Without a name it is where the default branch is. Throws TerminalError `revision-unknown`, `revision-ambiguous`, `invalid-ref`.
 */
export async function findRevision(
  mirror: Mirror,
  name: string | undefined,
  { prefer }: Stoppable & { prefer?: string | undefined } = {},
): Promise<Revision> {
  const { repository } = mirror;
  await mirror.fetch();
  if (name === undefined) return await defaultBranch(mirror);
  const [first, second] = isObjectName(name) ? [] : await branchAndTag(mirror, checkRef(name));
  if (first !== undefined && second !== undefined && first.sha !== second.sha) {
    throw new TerminalError(
      'revision-ambiguous',
      `${repository} has both a branch and a tag ${name}, at different commits`,
      { hint: `write refs/heads/${name} or refs/tags/${name}` },
    );
  }
  if (first !== undefined) {
    if (!(await isAlsoCommit(mirror, name, first.sha))) return first;
    throw new TerminalError(
      'revision-ambiguous',
      `${repository} has a branch or tag ${name}, and another commit whose name begins so`,
      { hint: `write ${first.ref}, or more digits of the commit` },
    );
  }
  const sha = /^[0-9a-f]{7,64}$/.test(name) ? await mirror.commitOf(name) : undefined;
  if (sha === undefined) {
    throw new TerminalError('revision-unknown', `${repository} has no revision ${name}`, {
      hint: 'name a branch, a tag, or a commit by at least 7 of its digits',
    });
  }
  const refs = await mirror.refsTo(sha, ['refs/heads', 'refs/tags']);
  const ref = refs.find((one) => one === prefer) ?? refs[0];
  if (ref !== undefined) return { sha, ref };
  throw new TerminalError(
    'revision-unknown',
    `no branch or tag of ${repository} leads to ${sha.slice(0, 7)}`,
    { hint: 'push it to a branch of the repository first' },
  );
}

/** Whether another commit than `sha` is called so by its digits: who may push can give a branch any such name. */
async function isAlsoCommit(mirror: Mirror, name: string, sha: string): Promise<boolean> {
  if (!/^[0-9a-f]{7,39}$/.test(name)) return false;
  const found = (await mirror.git(['rev-parse', `--disambiguate=${name}`])).stdout.toString();
  for (const object of found.split('\n').filter((line) => line !== '' && line !== sha)) {
    if ((await mirror.commitOf(object)) === object) return true;
  }
  return false;
}

async function defaultBranch(mirror: Mirror): Promise<Revision> {
  const ref = await mirror.defaultBranch();
  const sha = ref === undefined ? undefined : await mirror.commitOf(ref);
  if (ref !== undefined && sha !== undefined) return { sha, ref };
  const message = `${mirror.repository} has no default branch with a commit`;
  throw new TerminalError('revision-unknown', message, { hint: 'name a branch or tag' });
}

async function branchAndTag(mirror: Mirror, name: string): Promise<Revision[]> {
  const isWhole = /^refs\/(?:heads|tags)\/./.test(name);
  const found: Revision[] = [];
  for (const ref of isWhole ? [name] : [`refs/heads/${name}`, `refs/tags/${name}`]) {
    const sha = await mirror.commitOf(ref);
    if (sha !== undefined) found.push({ sha, ref });
  }
  return found;
}
