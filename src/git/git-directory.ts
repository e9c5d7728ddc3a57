import {
  closeSync,
  constants,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  writeFileSync,
  type Dirent,
} from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isRealDirectory, isUsableDirectory } from '../lib/discard.ts';
import { errorCode, RetryableError } from '../lib/errors.ts';

/** What a git directory of ours holds. */
export interface Layout {
  /** By directory: all that git reads there and we want read, what ends in "/" being a directory. */
  entries: Record<string, string[]>;
  /** Files that always say the same. */
  contents: Record<string, string>;
}

const CORE =
  '[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tlogallrefupdates = false\n';

/** A bare repository that we fetch into. There is no remote in it: the URL is given with each call. */
export const MIRROR: Layout = {
  entries: { '': ['HEAD', 'config', 'packed-refs', 'objects/', 'refs/'], 'objects/info': [] },
  contents: {
    // Need not be there: what the default branch is, the server is asked.
    HEAD: 'ref: refs/heads/main\n',
    config: `${CORE}\tbare = true\n`,
  },
};

/** The git directory of a work tree. */
export const WORK_TREE: Layout = {
  entries: {
    '': ['HEAD', 'config', 'index', 'info/', 'objects/', 'refs/'],
    info: ['attributes'],
    'objects/info': ['alternates'],
  },
  contents: {
    config: `${CORE}\tbare = false\n[gc]\n\tauto = 0\n`,
    // Wins over every `.gitattributes`: no filter, line ending, encoding or keyword is applied to the bytes of the commit.
    'info/attributes': '* -filter -text -eol -ident -working-tree-encoding -crlf\n',
  },
};

/** What a git that is at work has, and one that was killed leaves. The second is no lock by its name, and is one all the same. */
export const LOCK = /\.lock$|^packed-refs\.new$/;

/**
 * Sets a git directory back to what we put there, before each git that reads it: a step of our own user may have changed it. Of
 * what else git reads (https://git-scm.com/docs/gitrepository-layout) several lead it elsewhere or change what it sees:
 * `commondir`, `config.worktree`, `hooks`, `logs`, `modules`, `worktrees`, `shallow`, `sharedindex.*`, the state of merges,
 * rebases and sequencers; in `info` `grafts`, `exclude` and `sparse-checkout`; in `objects/info` `alternates`, `http-alternates`
 * and `commit-graph`. `refs/replace` and a multi-pack-index are switched off in the environment. A directory that is not
 * there, or cannot be read, is git's to complain of. Looks at once, which is a tenth of the work; what it removes may be large.
 * Throws RetryableError `git-failed`.
 */
export async function setBack(gitDirectory: string, layout: Layout): Promise<void> {
  if (!isRealDirectory(gitDirectory)) return;
  for (const [below, ours] of Object.entries(layout.entries)) {
    const directory = join(gitDirectory, below);
    for (const entry of entriesOf(directory)) {
      const isOurs = entry.isDirectory()
        ? ours.includes(`${entry.name}/`)
        : entry.isFile() && (ours.includes(entry.name) || LOCK.test(entry.name));
      if (isOurs) continue;
      await rm(join(directory, entry.name), { recursive: true, force: true });
    }
  }
  if (!isUsableDirectory(gitDirectory)) return;
  try {
    for (const [name, content] of Object.entries(layout.contents)) {
      await keepFile(join(gitDirectory, name), content);
    }
  } catch (error) {
    throw new RetryableError('git-failed', `cannot set back ${gitDirectory}`, { cause: error });
  }
}

function entriesOf(directory: string): Dirent[] {
  try {
    return readdirSync(directory, { withFileTypes: true });
  } catch {
    return [];
  }
}

/**
 * Makes an empty git directory, of a work tree without HEAD. Fails when there is anything already, a link for example. Written here
 * and not by `git init`, which would bring hooks.
 */
export async function makeGitDirectory(path: string, layout: Layout): Promise<void> {
  mkdirSync(path, { mode: 0o700 });
  for (const name of ['refs', ...Object.keys(layout.entries)]) {
    mkdirSync(join(path, name), { recursive: true });
  }
  await setBack(path, layout);
}

/** Writes `content` to `path` unless that is what it says. */
export async function keepFile(path: string, content: string): Promise<void> {
  if (textOf(path, Buffer.byteLength(content)) === content) return;
  // Not through a link, should it have become one, and not into a directory.
  if (writeNew(path, content)) return;
  await rm(path, { recursive: true, force: true });
  // When it is there again, another call has set it back as well.
  writeNew(path, content);
}

/** False when there is something at `path`. */
function writeNew(path: string, content: string): boolean {
  try {
    writeFileSync(path, content, { flag: 'wx', mode: 0o600 });
    return true;
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error;
    return false;
  }
}

/** Neither through a link nor waiting for the other end of a pipe that a step made. */
const TO_READ = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/**
 * What a file says; undefined when it may not be read, is no file, or is larger than `mostBytes`. Throws when no file can be read
 * now.
 */
export function textOf(path: string, mostBytes = Infinity): string | undefined {
  let file: number | undefined;
  try {
    file = openSync(path, TO_READ);
    const status = fstatSync(file);
    return status.isFile() && status.size <= mostBytes ? readFileSync(file, 'utf8') : undefined;
  } catch (error) {
    if (['EMFILE', 'ENFILE'].includes(errorCode(error) ?? '')) throw error;
    return undefined;
  } finally {
    if (file !== undefined) closeSync(file);
  }
}
