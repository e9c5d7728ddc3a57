import { TerminalError } from '../lib/errors.ts';
import { isRepositoryPath, isZeroSha } from '../lib/names.ts';
import type { Event, Json, PushEvent } from '../model/event.ts';
import { readRef, readSha, type Fields } from './github/payload.ts';

/**
 * Reads the events of one kind of git server: by fields that only its bodies have, since headers are not signed. Undefined
 * when the body is of another kind. Throws TerminalError `payload-unreadable`.
 */
export type ReadServerEvent = (server: string, body: Fields) => Event | undefined;

/** `server:path`. Where the repository is says the configuration: URLs in a body are not looked at. */
export function readPlace(server: string, path: Json | undefined, where: string): string {
  if (isRepositoryPath(path)) return `${server}:${path}`;
  throw new TerminalError('payload-unreadable', `${where} is no repository's path`);
}

/** A move of a ref, as servers tell of it: all zeros for "no commit". Its files are for git to say. */
export function readMove(
  repository: string,
  move: { ref: Json | undefined; before: Json | undefined; after: Json | undefined },
): PushEvent {
  const ref = readRef(move.ref, 'ref');
  const before = readSha(move.before, 'before');
  const after = readSha(move.after, 'after');
  const below = (prefix: string) => (ref.startsWith(prefix) ? ref.slice(prefix.length) : undefined);
  return {
    kind: 'push',
    repository,
    ref,
    branch: below('refs/heads/'),
    tag: below('refs/tags/'),
    before: isZeroSha(before) ? undefined : before,
    sha: isZeroSha(after) ? undefined : after,
    created: isZeroSha(before),
    deleted: isZeroSha(after),
    forced: false,
    changedPaths: { complete: false, reason: 'the server does not say whether it was forced' },
  };
}
