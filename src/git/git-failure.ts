import { RetryableError, TerminalError, type MainsheetError } from '../lib/errors.ts';
import { maskText } from '../lib/masking.ts';
import { wayOutProblem } from '../lib/way-out.ts';

const MAX_MESSAGE = 500;
/** Characters at each end of what git said in which its kind is looked for: what a repository makes it say may be long. */
const LOOKED_AT = 32 * 1024;

/** Trying again cannot help. */
const TERMINAL = new Set([
  'tree-impossible',
  'git-missing',
  'commit-missing',
  'repository-not-found',
  'git-authentication',
  'git-forbidden',
  'repository-moved',
]);

interface Kind {
  code: string;
  message: string;
  hint?: string;
}

/** What git's messages mean, the first that fits. git has no better way to say it than these texts. */
const KINDS: (Kind & { pattern: RegExp })[] = [
  {
    // First, because these messages hold names from the repository, which may say anything.
    pattern:
      /^error: invalid path '|^(?:error|fatal): (?:unable to create (?:file|symlink)|cannot create directory at|could not create leading directories of) [^]*: (?:File name too long|Invalid argument|Invalid or incomplete multibyte|Illegal byte sequence|No such file or directory|Not a directory|Is a directory|File exists)/m,
    code: 'tree-impossible',
    message: 'the commit has a file that cannot be written',
    hint: 'Rename or remove it in the repository: its name or path is too long, or one that git does not write.',
  },
  {
    pattern: /spawn git ENOENT/,
    code: 'git-missing',
    message: 'git was not found',
    hint: 'Install git 2.31 or newer, and see that PATH leads to it.',
  },
  {
    pattern: /No space left on device|Disk quota exceeded/i,
    code: 'disk-full',
    message: 'there is no space left on the disk',
    hint: 'Make room in the data directory.',
  },
  {
    pattern: /not our ref|unadvertised object|couldn't find remote ref/,
    code: 'commit-missing',
    message: 'the server does not have this commit',
  },
  {
    pattern: /returned error: 404\b|^fatal: repository '.*' not found/m,
    code: 'repository-not-found',
    message: 'the server knows no such repository, or does not show it to us',
    hint: 'Check the spelling, and that the GitHub App is installed there (or that the token may read it).',
  },
  {
    pattern: /could not read (?:Username|Password)|Authentication failed|returned error: 401\b/,
    code: 'git-authentication',
    message: 'the server did not accept our credentials',
    hint: 'Check GITHUB_APP_ID and GITHUB_APP_PRIVATE_KEY, or GITHUB_TOKEN.',
  },
  {
    pattern: /returned error: 403\b/,
    code: 'git-forbidden',
    message: 'the server refused access',
    hint: 'The GitHub App (or the token) needs read access to the contents of the repository.',
  },
  {
    pattern: /returned error: 30[1278]\b|unable to update url base from redirection/,
    code: 'repository-moved',
    message: 'the server sends us to another address, where credentials are not sent',
    hint: 'If the repository was renamed, use its new name.',
  },
  {
    pattern: /returned error: (?:5\d\d|408|429)\b/,
    code: 'git-server',
    message: 'the server could not answer',
  },
  {
    pattern:
      /Could not resolve|Failed to connect|Connection (?:refused|reset|timed out)|timed out|too slow|early EOF|RPC failed|disconnect|hung up|Empty reply|Recv failure|SSL|TLS|certificate/i,
    code: 'git-unreachable',
    message: 'the server could not be reached',
  },
  {
    pattern:
      /not a git repository|reference is not a tree|not a valid commit name|bad (?:object|tree|index|signature|config|packed object)|unable to (?:read|resolve|find|parse)|missing (?:blob|tree|commit|object)|corrupt|object file .* is empty|invalid object|inflate|un(?:expected|terminated) line in|does not match index|valid object|did not send all necessary|could not read [0-9a-f]{7,}|failed to traverse|far too short|not a GIT packfile|index file .* is /i,
    code: 'git-damaged',
    message: 'the local copy is damaged',
  },
];

/**
 * The error of a git call that ended with a message: TerminalError for what is in `TERMINAL`, else RetryableError (`git-server`,
 * `git-unreachable`, `certificate-untrusted`, `proxy-refused`, `disk-full`, `git-damaged`, `git-failed`). `secrets` are masked in
 * what git said, in every usual encoding.
 */
export function gitFailure(
  doing: string,
  { exitCode, stderr }: { exitCode: number | undefined; stderr: string },
  secrets: readonly string[] = [],
): MainsheetError {
  // What the server says about itself ("remote: fatal: bad object") is not about us.
  const own = endsOf(stderr.replaceAll(/^remote:[^\r\n]*/gm, ''));
  const wayOut = wayOutProblem(own);
  const kind: Kind = (wayOut && { ...wayOut, message: 'the server could not be reached' }) ??
    KINDS.find(({ pattern }) => pattern.test(own)) ?? {
      code: 'git-failed',
      message: `git ended with ${exitCode ?? 'a signal'}`,
    };
  const said = clean(stderr, secrets);
  const message = `${doing} failed: ${kind.message}${said === '' ? '' : ` (${said})`}`;
  const options = kind.hint === undefined ? {} : { hint: kind.hint };
  return TERMINAL.has(kind.code)
    ? new TerminalError(kind.code, message, options)
    : new RetryableError(kind.code, message, options);
}

/** The error of a git call that was stopped: by the caller's signal, or because its time was up. */
export function gitStopped(doing: string, signal: AbortSignal | undefined): RetryableError {
  if (signal?.aborted) {
    return new RetryableError('git-stopped', `${doing} was stopped`, { cause: signal.reason });
  }
  return new RetryableError('git-timeout', `${doing} took too long and was stopped`);
}

function endsOf(text: string): string {
  if (text.length <= 2 * LOOKED_AT) return text;
  return `${text.slice(0, LOOKED_AT)}\n${text.slice(-LOOKED_AT)}`;
}

/** What git said, on one line, without hints, secrets and anything before an "@" in a URL. */
function clean(stderr: string, secrets: readonly string[]): string {
  const lines = maskText(secrets, stderr)
    .split(/[\r\n]+/)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('hint:'));
  const text = lines
    .join(' · ')
    .replaceAll(/:\/\/[^/\s@]+@/g, '://***@')
    // oxlint-disable-next-line no-control-regex
    .replaceAll(/[\0-\x1f\x7f]+/g, ' ');
  return text.length > MAX_MESSAGE ? `${text.slice(0, MAX_MESSAGE)}…` : text;
}
