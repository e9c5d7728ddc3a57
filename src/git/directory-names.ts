import { createHash } from 'node:crypto';
import { checkRepository } from '../lib/names.ts';

/** Marks directories that are not ready yet, or on their way out. No other name in our directories starts with a dot. */
export const NEW_PREFIX = '.new-';
export const OLD_PREFIX = '.old-';

/**
 * The directory name of a repository's mirror or checkout. GitHub's names differ in more than case, so lower case it is;
 * "+" is no character of GitHub's names, so no two repositories share a directory. Throws TerminalError
 * `invalid-repository`.
 */
export function repositoryDirectory(repository: string): string {
  return checkRepository(repository).toLowerCase().replace('/', '+');
}

/** The directory name of a lane, whatever the lane is called: what a person can read of it, and what makes it unique. */
export function laneDirectory(lane: string): string {
  const readable = lane
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .slice(0, 40);
  return `${readable}+${createHash('sha256').update(lane).digest('hex').slice(0, 16)}`;
}
