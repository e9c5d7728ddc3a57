import { createHash } from 'node:crypto';
import { checkRepository } from '../lib/names.ts';

/**
 * The directory name of a repository's mirror or checkout. Names differ in more than case, so lower case it is; "+" is no
 * character of names, and ":" becomes two, so no two repositories share a directory. Throws TerminalError
 * `invalid-repository`.
 */
export function repositoryDirectory(repository: string): string {
  return checkRepository(repository).toLowerCase().replace(':', '++').replaceAll('/', '+');
}

/** The directory name of a lane, whatever the lane is called: what a person can read of it, and what makes it unique. */
export function laneDirectory(lane: string): string {
  const readable = lane
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .slice(0, 40);
  return `${readable}+${createHash('sha256').update(lane).digest('hex').slice(0, 16)}`;
}
