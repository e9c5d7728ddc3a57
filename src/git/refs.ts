import { TerminalError } from '../lib/errors.ts';

const MAX_REF_BYTES = 1024;

/**
 * Returns `value` when it is the full name of a commit: 40 lower-case hexadecimal digits, not all zeros (which is how
 * GitHub writes "no commit"). Throws TerminalError `invalid-sha` otherwise.
 */
export function checkSha(value: string): string {
  if (/^[0-9a-f]{40}$/.test(value) && !/^0+$/.test(value)) return value;
  throw new TerminalError('invalid-sha', `${quote(value)} is not the full name of a commit`, {
    hint: 'A commit is named by 40 hexadecimal digits in lower case.',
  });
}

/**
 * Returns `value` when it is `owner/name` in GitHub's characters. Throws TerminalError `invalid-repository` for anything
 * else, and for what would mean something else in a path or on a command line: `..`, a leading `-`, a `.git` end. A
 * leading `.` is a name's own: organisations keep what is common to all in `acme/.github`.
 */
export function checkRepository(value: string): string {
  const [owner = '', name = '', ...rest] = value.split('/');
  const valid =
    rest.length === 0 &&
    /^[A-Za-z0-9_][A-Za-z0-9_-]{0,99}$/.test(owner) &&
    /^[A-Za-z0-9_.][A-Za-z0-9_.-]{0,99}$/.test(name) &&
    name !== '.' &&
    !name.includes('..') &&
    !/\.(?:git|lock)$/i.test(name);
  if (valid) return value;
  throw new TerminalError('invalid-repository', `${quote(value)} is not a repository's name`, {
    hint: 'Write it as owner/name, without a leading "-" and without ".git".',
  });
}

/**
 * Returns `value`, a branch's or tag's name or a whole ref (`refs/heads/main`), when git could hold such a ref
 * (https://git-scm.com/docs/git-check-ref-format) and no program could take it for an option. Throws TerminalError
 * `invalid-ref` otherwise.
 */
export function checkRef(value: string): string {
  const problem = refProblem(value);
  if (problem === undefined) return value;
  throw new TerminalError('invalid-ref', `${quote(value)} is not a usable ref: ${problem}`, {
    hint: 'Give the branch or tag another name.',
  });
}

function refProblem(value: string): string | undefined {
  if (value === '') return 'it is empty';
  if (Buffer.byteLength(value) > MAX_REF_BYTES) return `it is longer than ${MAX_REF_BYTES} bytes`;
  // Control characters are what is looked for.
  // oxlint-disable-next-line no-control-regex
  if (/[\0-\x20\x7f~^:?*[\\]/.test(value)) return 'it has a character that git does not allow';
  if (!value.isWellFormed()) return 'it is not valid Unicode';
  if (value.includes('..') || value.includes('@{') || value === '@') {
    return 'it has "..", "@{" or only "@" in it';
  }
  if (value.endsWith('.')) return 'it ends with "."';
  const short = value.replace(/^refs\/(?:heads|tags)\//, '');
  if (short.startsWith('-')) return 'it starts with "-"';
  for (const part of value.split('/')) {
    if (part === '') return 'it has an empty part';
    if (part.startsWith('.') || part.endsWith('.lock')) {
      return 'a part of it starts with "." or ends with ".lock"';
    }
  }
  return undefined;
}

/** As it can stand in a message: on one line, quoted, bounded. */
function quote(value: string): string {
  return JSON.stringify(value.length > 80 ? `${value.slice(0, 80)}…` : value);
}
