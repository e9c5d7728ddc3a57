import { TerminalError } from './errors.ts';

// The one rule for each name that comes from outside and goes to git, to GitHub, into a path or a row.

/**
 * An owner of letters, digits and hyphens (underscores in managed enterprises), a repository of letters, digits, dots, hyphens
 * and underscores. `.` and `..` are no names, and GitHub cuts a trailing `.git`. It never stands alone, so that a leading `-` or
 * a `..` within it is neither an option nor a path.
 */
export const REPOSITORY =
  /^[A-Za-z0-9][A-Za-z0-9_-]{0,99}\/(?!\.{1,2}$)(?!.*\.[Gg][Ii][Tt]$)[A-Za-z0-9._-]{1,100}$/;
/** A secret as specs name it; never a path, and fit for an environment variable. */
export const SECRET_NAME = /^[A-Z][A-Z0-9_]{0,99}$/;
const OBJECT_NAME = /^[0-9a-f]{40}$/;
const ZEROS = /^0+$/;
const MAX_REF_BYTES = 1024;

/** What to do about a name that `isRepository` refuses. */
export const REPOSITORY_RULE = 'a repository is written owner/name, without ".git"';

/** A server that is not GitHub, as the operator calls it. */
const SERVER = '[a-z][a-z0-9-]{0,29}';
/** GitLab's groups may stand in each other (https://docs.gitlab.com/user/reserved_names/); the whole is short enough for a file's name. */
const PATH = String.raw`(?=.{3,180}$)[A-Za-z0-9_][A-Za-z0-9_.-]*(?:\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9_.-]+){1,20}(?<!\.[Gg][Ii][Tt])`;
const SERVER_NAME = new RegExp(`^${SERVER}$`);
const REPOSITORY_PATH = new RegExp(`^${PATH}$`);

/** `owner/name`, or `server:path` on a server that is not GitHub. */
export const ANY_REPOSITORY = new RegExp(`${REPOSITORY.source}|^${SERVER}:${PATH}$`);
export const ANY_REPOSITORY_RULE = `${REPOSITORY_RULE}; on another server than GitHub, server:path`;

/** Whether it can be the name of a server that is not GitHub. */
export function isServerName(value: string): boolean {
  return SERVER_NAME.test(value);
}

/** Whether it is the path of a repository on a server that is not GitHub: `group/project`, `group/sub/project`. */
export function isRepositoryPath(value: unknown): value is string {
  return typeof value === 'string' && REPOSITORY_PATH.test(value);
}

/** Whether it is `owner/name` as GitHub allows it. No repository of another server is. */
export function isRepository(value: unknown): value is string {
  return typeof value === 'string' && REPOSITORY.test(value);
}

/** The parts of `server:path`; undefined for a repository of GitHub, and for what is neither. */
export function elsewhere(repository: string): { server: string; path: string } | undefined {
  const colon = Math.max(0, repository.indexOf(':'));
  const [server, path] = [repository.slice(0, colon), repository.slice(colon + 1)];
  return isServerName(server) && isRepositoryPath(path) ? { server, path } : undefined;
}

/** Whether it is the full name of an object as git and GitHub write it: SHA-1, all zeros (which means "none") included. */
export function isObjectName(value: unknown): value is string {
  return typeof value === 'string' && OBJECT_NAME.test(value);
}

/** Git's way of saying "no such object": https://docs.github.com/en/webhooks/webhook-events-and-payloads#push */
export function isZeroSha(sha: string): boolean {
  return ZEROS.test(sha);
}

/** Whether it is the full name of a commit: never all zeros. */
export function isSha(value: unknown): value is string {
  return isObjectName(value) && !isZeroSha(value);
}

/**
 * Why `value` is no branch's or tag's name and no whole ref (`refs/heads/main`) that git could hold
 * (https://git-scm.com/docs/git-check-ref-format), or one that a program could take for an option. Undefined when it is one.
 */
export function refProblem(value: string): string | undefined {
  if (value === '') return 'it is empty';
  if (Buffer.byteLength(value) > MAX_REF_BYTES) return `it is longer than ${MAX_REF_BYTES} bytes`;
  // Control characters are what is looked for.
  // oxlint-disable-next-line no-control-regex
  if (/[\0-\x20\x7f-\x9f~^:?*[\\]/.test(value)) return 'it has a character that git does not allow';
  if (!value.isWellFormed()) return 'it is not valid Unicode';
  if (value.includes('..') || value.includes('@{') || value === '@') {
    return 'it has "..", "@{" or only "@" in it';
  }
  if (value.endsWith('.')) return 'it ends with "."';
  // A whole ref is no option, whatever its branch is called.
  if (value.startsWith('-')) return 'it starts with "-"';
  for (const part of value.split('/')) {
    if (part === '') return 'it has an empty part';
    if (part.startsWith('.') || part.endsWith('.lock')) {
      return 'a part of it starts with "." or ends with ".lock"';
    }
  }
  return undefined;
}

/** Returns `value` when `isSha`. Throws TerminalError `invalid-sha` otherwise. */
export function checkSha(value: string): string {
  if (isSha(value)) return value;
  throw new TerminalError('invalid-sha', `${quote(value)} is not the full name of a commit`, {
    hint: 'A commit is named by 40 hexadecimal digits in lower case.',
  });
}

/** Returns `value` when it is `owner/name` or `server:path`. Throws TerminalError `invalid-repository` otherwise. */
export function checkRepository(value: string): string {
  if (isRepository(value) || elsewhere(value) !== undefined) return value;
  throw new TerminalError('invalid-repository', `${quote(value)} is not a repository's name`, {
    hint: REPOSITORY_RULE,
  });
}

/** Returns `value` when it has no `refProblem`. Throws TerminalError `invalid-ref` otherwise. */
export function checkRef(value: string): string {
  const problem = refProblem(value);
  if (problem === undefined) return value;
  throw new TerminalError('invalid-ref', `${quote(value)} is not a usable ref: ${problem}`, {
    hint: 'Give the branch or tag another name.',
  });
}

/** As it can stand in a message: on one line, quoted, bounded. */
function quote(value: string): string {
  return JSON.stringify(value.length > 80 ? `${value.slice(0, 80)}…` : value);
}

/** The owner in `owner/name`, in lower case, as GitHub does not tell cases apart. */
export function ownerOf(repository: string): string {
  return (repository.split('/')[0] ?? '').toLowerCase();
}
