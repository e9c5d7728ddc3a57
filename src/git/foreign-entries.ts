import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

/** A bare repository that we fetch into, or the git directory beside a work tree. */
export type GitDirectoryKind = 'mirror' | 'work-tree';

type EntryKind = 'file' | 'directory';

/**
 * All that git reads in a git directory and we want read, directory by directory. Of the rest of
 * https://git-scm.com/docs/gitrepository-layout several lead git elsewhere or change what it sees: `commondir`, `config.worktree`,
 * `hooks`, `logs`, `modules`, `worktrees`, `shallow`, `sharedindex.*`, the state of merges, rebases and sequencers; in `info`
 * `grafts`, `exclude` and `sparse-checkout`; in `objects/info` `alternates`, `http-alternates` and `commit-graph`. What is in
 * `refs/replace` and in a multi-pack-index is switched off in the environment.
 */
const OURS: Record<GitDirectoryKind, Record<string, Record<string, EntryKind>>> = {
  mirror: {
    '': {
      HEAD: 'file',
      config: 'file',
      'packed-refs': 'file',
      objects: 'directory',
      refs: 'directory',
    },
    'objects/info': {},
  },
  'work-tree': {
    '': {
      HEAD: 'file',
      config: 'file',
      index: 'file',
      info: 'directory',
      objects: 'directory',
      refs: 'directory',
    },
    info: { attributes: 'file' },
    'objects/info': { alternates: 'file' },
  },
};

/** What a git that is at work beside us has at the moment. */
const IN_USE = /\.lock$|^packed-refs\.new$/;

/**
 * Removes from a git directory of ours whatever we did not put there, and what is a link where we put a file or a directory: a
 * step of our own user may have left it. To be called before each git there. A directory that is not there, or cannot be read,
 * is git's to complain of.
 */
export async function removeForeign(gitDirectory: string, kind: GitDirectoryKind): Promise<void> {
  for (const [below, ours] of Object.entries(OURS[kind])) {
    const directory = join(gitDirectory, below);
    const entries = await readdir(directory, { withFileTypes: true }).catch(() => []);
    for (const entry of entries) {
      const wanted = Object.hasOwn(ours, entry.name) ? ours[entry.name] : undefined;
      const isOurs = wanted === 'directory' ? entry.isDirectory() : entry.isFile();
      if (isOurs && (wanted !== undefined || IN_USE.test(entry.name))) continue;
      await rm(join(directory, entry.name), { recursive: true, force: true });
    }
  }
}
