import { isZeroSha } from '../../lib/names.ts';
import type { ChangedPaths, Json, PushEvent } from '../../model/event.ts';
import {
  type Fields,
  readCommit,
  readFields,
  readRef,
  readRepository,
  readSha,
} from './payload.ts';

/** `commits` is cut at this length: https://docs.github.com/en/webhooks/webhook-events-and-payloads#push */
const MAX_COMMITS = 2048;
/** Where older servers cut it, by the same page's earlier editions. A push of exactly so many may be a longer one. */
const FORMER_MAX_COMMITS = 20;
/** A commit lists at most so many changed files (same page). */
const MAX_FILES_OF_COMMIT = 3000;

/**
 * The meaning of a push. Throws `TerminalError` (`payload-unreadable`) when a ref, commit or repository is not one.
 *
 * For an annotated tag `after` can be the tag object; `head_commit` is then the commit it leads to. Where GitHub sends no
 * `head_commit` for a tag, `sha` stays `after` (which git resolves either way) and the reason in `changedPaths` says so.
 */
export function parsePush(payload: Fields): PushEvent {
  const ref = readRef(payload.ref, 'ref');
  const branch = nameBelow('refs/heads/', ref);
  const tag = nameBelow('refs/tags/', ref);
  const after = readSha(payload.after, 'after');
  const before = readBefore(payload);
  const created = payload.created === true || (before !== undefined && isZeroSha(before));
  const deleted = payload.deleted === true || isZeroSha(after);
  const tagCommit = tag === undefined || deleted ? undefined : headCommit(payload);
  const push = {
    kind: 'push' as const,
    repository: readRepository(payload.repository, 'repository'),
    ref,
    branch,
    tag,
    before: created ? undefined : before,
    sha: deleted ? undefined : (tagCommit ?? after),
    created,
    deleted,
    forced: payload.forced === true,
  };
  return { ...push, changedPaths: changedPaths(push, payload) };
}

function nameBelow(prefix: string, ref: string): string | undefined {
  return ref.startsWith(prefix) ? ref.slice(prefix.length) : undefined;
}

function readBefore(payload: Fields): string | undefined {
  return payload.before === undefined || payload.before === null
    ? undefined
    : readSha(payload.before, 'before');
}

function headCommit(payload: Fields): string | undefined {
  return payload.head_commit === undefined || payload.head_commit === null
    ? undefined
    : readCommit(readFields(payload.head_commit, 'head_commit').id, 'head_commit.id');
}

/**
 * The files that the listed commits touched, when those commits are the whole push; else the reason why they are not, and the
 * difference has to come from git. A file that one commit of the push changed and a later one changed back counts as changed.
 */
function changedPaths(push: Omit<PushEvent, 'changedPaths'>, payload: Fields): ChangedPaths {
  const commits = Array.isArray(payload.commits) ? payload.commits : [];
  const reason = whyIncomplete(push, commits, payload);
  if (reason !== undefined) return { complete: false, reason };
  const paths = new Set<string>();
  for (const commit of commits) {
    const files = filesOf(commit);
    if (typeof files === 'string') return { complete: false, reason: files };
    for (const file of files) paths.add(file);
  }
  return { complete: true, paths: [...paths] };
}

function whyIncomplete(
  push: Omit<PushEvent, 'changedPaths'>,
  commits: Json[],
  { size, distinct_size: distinct, head_commit: head }: Fields,
): string | undefined {
  if (push.deleted) return 'the ref was deleted';
  if (push.tag !== undefined && (head === null || head === undefined)) {
    return 'the payload does not say to which commit the tag leads';
  }
  if (push.created) return 'the ref is new, so there is nothing to compare it with';
  if (push.forced) return 'a forced push does not list the commits that it removed';
  if (push.before === undefined) return 'the payload does not say where the ref was before';
  if (commits.length === 0) return 'the payload lists no commits';
  if (commits.length >= MAX_COMMITS || commits.length === FORMER_MAX_COMMITS) {
    return `${commits.length} commits are listed, which is where GitHub cuts the list`;
  }
  const stated = Math.max(countOf(size), countOf(distinct));
  if (stated > commits.length) return `${commits.length} of ${stated} commits are listed`;
  if (idOf(commits.at(-1)) !== push.sha) {
    return 'the last listed commit is not the one that was pushed';
  }
  return undefined;
}

function countOf(value: Json | undefined): number {
  return typeof value === 'number' ? value : 0;
}

function idOf(commit: Json | undefined): Json | undefined {
  return typeof commit === 'object' && commit !== null && !Array.isArray(commit)
    ? commit.id
    : undefined;
}

/** Every file of a commit in the payload, or the reason why they are not known. */
function filesOf(commit: Json): string[] | string {
  const unlisted = 'a commit does not list its files';
  if (typeof commit !== 'object' || commit === null || Array.isArray(commit)) return unlisted;
  const files: string[] = [];
  for (const list of [commit.added, commit.modified, commit.removed]) {
    if (!Array.isArray(list)) return unlisted;
    for (const file of list) {
      // Git has no path that is empty or holds a NUL.
      if (typeof file !== 'string' || file === '' || file.includes('\0')) return unlisted;
      files.push(file);
    }
  }
  return files.length >= MAX_FILES_OF_COMMIT
    ? `a commit lists ${files.length} files, which is where GitHub cuts the list`
    : files;
}
