import { checkRef, checkSha } from '../lib/names.ts';
import { TerminalError } from '../lib/errors.ts';
import { changedPaths } from './changed-paths.ts';
import type { Mirror } from './mirror.ts';

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
