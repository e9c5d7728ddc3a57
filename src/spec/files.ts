import { open, readdir, realpath, stat } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { describeError, errorCode } from '../lib/errors.ts';
import { FILE_LIMIT, tooLarge } from './parse.ts';
import type { SpecProblem } from './problem.ts';
import { problemAt } from './problem.ts';

/** A YAML file below the deployments directory. */
export interface SpecFile {
  /** Path below the directory, with `/`. */
  path: string;
  /** Where it really is, every link followed. */
  realPath: string;
  /** Changes when the file does: enough to see that there is something to read again. */
  mark: string;
}

export interface Listing {
  files: SpecFile[];
  /** Files of encrypted secrets. */
  sealed: SpecFile[];
  problems: SpecProblem[];
}

const FILE_COUNT_LIMIT = 10_000;
const DEPTH_LIMIT = 20;
/** Made by the system at the root of a volume, and readable for root only: there are no specs in it. */
const LOST_AND_FOUND = 'lost+found';
/** Codes of what is not there, and of links in a circle. */
const LEADS_NOWHERE = new Set(['ENOENT', 'ELOOP']);

/**
 * Finds every `*.yaml` and `*.yml` below a directory, sorted by path. Names that begin with a dot are passed over: that
 * is where a Kubernetes ConfigMap volume keeps the real files (`..data` and what it links to), which are reached by
 * their visible links. Links that lead out of the directory are not followed. `*.sops.yaml` are no specs, but secrets.
 */
export async function listSpecFiles(directory: string): Promise<Listing> {
  const listing: Listing = { files: [], sealed: [], problems: [] };
  let root: string;
  try {
    root = await realpath(directory);
    const entries = await readdir(root);
    await walk({ root, listing, seen: new Set([root]) }, entries, '', 0);
  } catch (error) {
    listing.problems.push(unreadableDirectory(directory, error));
  }
  for (const files of [listing.files, listing.sealed]) {
    files.sort((a, b) => (a.path < b.path ? -1 : 1));
  }
  if (listing.files.length > FILE_COUNT_LIMIT) {
    listing.problems.push(problemAt({ file: '.' }, `more than ${FILE_COUNT_LIMIT} files of specs`));
    listing.files.length = FILE_COUNT_LIMIT;
  }
  return listing;
}

/** Whether a path below the directory is one of those that `listSpecFiles` finds; of links it knows nothing. */
export function isSpecPath(path: string): boolean {
  const names = path.split('/');
  if (names.length > DEPTH_LIMIT + 1) return false;
  return isSpecName(path) && !isSealed(path) && names.every((name) => !isPassedOver(name));
}

const isSpecName = (name: string) => /\.ya?ml$/i.test(name);
const isSealed = (name: string) => /\.sops\.ya?ml$/i.test(name);
const isPassedOver = (name: string) => name.startsWith('.') || name === LOST_AND_FOUND;

/** A file's text, or the problem with it. Never reads more than the size limit. */
export async function readSpecFile(
  file: SpecFile,
): Promise<{ text: string } | { problem: SpecProblem }> {
  try {
    const handle = await open(file.realPath, 'r');
    try {
      const { size } = await handle.stat();
      // One byte more than allowed tells a file that is too large, or still growing.
      const buffer = Buffer.alloc(Math.min(size, FILE_LIMIT) + 1);
      const length = await readFully(handle, buffer);
      if (length > FILE_LIMIT) return { problem: tooLarge(file.path) };
      return { text: new TextDecoder('utf-8', { fatal: true }).decode(buffer.subarray(0, length)) };
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (error instanceof TypeError) {
      return { problem: problemAt({ file: file.path }, 'the file is not UTF-8 text') };
    }
    return { problem: problemAt({ file: file.path }, `the file cannot be read: ${reason(error)}`) };
  }
}

interface Walk {
  root: string;
  listing: Listing;
  /** Directories already entered, by real path: links can lead in circles. */
  seen: Set<string>;
}

async function walk(state: Walk, names: string[], below: string, depth: number): Promise<void> {
  for (const name of names.sort()) {
    if (isPassedOver(name)) continue;
    if (state.listing.files.length > FILE_COUNT_LIMIT) return;
    const path = below === '' ? name : `${below}/${name}`;
    const isSpec = isSpecName(name);
    try {
      await visit(state, path, isSpec, depth);
    } catch (error) {
      // What vanished between listing and looking is not there; a link to nothing is worth a word. Of a directory that cannot be
      // read it is not known which specs are in it: they must not count as removed.
      if (isSpec || !LEADS_NOWHERE.has(errorCode(error) ?? '')) {
        state.listing.problems.push(problemAt({ file: path }, `cannot be read: ${reason(error)}`));
      }
    }
  }
}

async function visit(state: Walk, path: string, isSpec: boolean, depth: number): Promise<void> {
  const realPath = await realpath(join(state.root, path));
  const info = await stat(realPath);
  if (!isInside(state.root, realPath)) {
    if (isSpec) {
      state.listing.problems.push(
        problemAt(
          { file: path },
          'is a link out of the deployments directory, which is not followed',
        ),
      );
    }
    return;
  }
  if (info.isDirectory()) {
    if (state.seen.has(realPath)) return;
    if (depth >= DEPTH_LIMIT) {
      state.listing.problems.push(
        problemAt({ file: path }, `more than ${DEPTH_LIMIT} directories deep`),
      );
      return;
    }
    state.seen.add(realPath);
    await walk(state, await readdir(realPath), path, depth + 1);
  } else if (isSpec && info.isFile()) {
    const mark = `${realPath}\0${info.ino}\0${info.size}\0${info.mtimeMs}`;
    const { files, sealed } = state.listing;
    (isSealed(path) ? sealed : files).push({ path, realPath, mark });
  }
}

async function readFully(
  handle: { read(buffer: Buffer, offset: number): Promise<{ bytesRead: number }> },
  buffer: Buffer,
): Promise<number> {
  let length = 0;
  while (length < buffer.length) {
    const { bytesRead } = await handle.read(buffer, length);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return length;
}

function isInside(root: string, path: string): boolean {
  const way = relative(root, path);
  return way !== '..' && !way.startsWith(`..${sep}`);
}

function unreadableDirectory(directory: string, error: unknown): SpecProblem {
  const code = errorCode(error);
  const what =
    code === 'ENOENT'
      ? 'the deployments directory does not exist'
      : code === 'ENOTDIR'
        ? 'the deployments directory is not a directory'
        : `the deployments directory cannot be read: ${reason(error)}`;
  const hint = 'make it, or point MAINSHEET_DEPLOYMENTS at the directory with your specs';
  return problemAt({ file: directory }, what, hint);
}

/** The system's word for it, without the path that it would add. */
function reason(error: unknown): string {
  return errorCode(error) ?? describeError(error);
}
