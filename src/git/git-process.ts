import { spawn } from 'node:child_process';
import { access } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { RetryableError, TerminalError, type MainsheetError } from '../lib/errors.ts';
import { gitFailure, gitStopped } from './git-failure.ts';

/** One run of git. */
export interface GitRun {
  /** What it is for, as the start of an error message: `reading acme/shop`. */
  doing: string;
  args: string[];
  /** Its whole environment. */
  env: Record<string, string>;
  cwd: string;
  timeoutMs: number;
  signal?: AbortSignal | undefined;
  /** How long a stopped git has to clean up before it is killed, in milliseconds. */
  killAfterMs: number;
  /** Most bytes that are read from its stdout. */
  maxBytes: number;
  /** Exit codes that are answers; default only 0. */
  accept?: readonly number[] | undefined;
  /** Masked in what git says, in every usual encoding. */
  secrets?: readonly string[];
  /** Called right before git starts. */
  onStart?: (() => void) | undefined;
}

export interface GitAnswer {
  exitCode: number;
  stdout: Buffer;
}

/** Most bytes that are kept of what git says on stderr; what it says after that is dropped. */
const MAX_STDERR = 1024 * 1024;
/** How long a killed git may take to be gone, in milliseconds, before nobody waits for it any more. */
const GIVE_UP_MS = 1000;

/**
 * Runs git. It and its children are one process group, which is ended as a whole: on abort, after `timeoutMs`, and when git
 * writes more than `maxBytes`. SIGTERM first, SIGKILL after `killAfterMs`; a second later the call is over even if git is
 * not. Throws RetryableError `git-stopped` or `git-timeout`, TerminalError `git-too-large`, RetryableError `git-failed` when
 * git could not be started, and else as `gitFailure` says.
 */
export async function runGit(run: GitRun): Promise<GitAnswer> {
  const { doing, signal } = run;
  if (signal?.aborted) throw gitStopped(doing, signal);
  run.onStart?.();

  const tooMuch = new AbortController();
  const stops = [AbortSignal.timeout(run.timeoutMs), tooMuch.signal, signal ?? []].flat();
  const stop = AbortSignal.any(stops);
  const { exitCode, stdout, stderr } = await untilEnd(run, stop, () => tooMuch.abort()).catch(
    async (error: unknown) => {
      throw await brokenOff(run, error);
    },
  );

  if (tooMuch.signal.aborted) {
    throw new TerminalError('git-too-large', `${doing} gave more than ${run.maxBytes} bytes`);
  }
  if (stop.aborted) throw gitStopped(doing, signal);
  const isAnswer = exitCode !== undefined && (run.accept ?? [0]).includes(exitCode);
  if (isAnswer && !isMistaken(exitCode, stderr)) return { exitCode, stdout };
  throw gitFailure(doing, { exitCode, stderr }, run.secrets);
}

interface End {
  /** Undefined when a signal ended it, or nobody waited for its end. */
  exitCode: number | undefined;
  stdout: Buffer;
  stderr: string;
}

/**
 * Resolves when git has ended and nobody has its output open any more, or was to be ended by `stop` and there is no use in
 * waiting. Rejects when git could not be started or its output not be read.
 */
async function untilEnd(run: GitRun, stop: AbortSignal, onTooMuch: () => void): Promise<End> {
  // Node's own `spawn`: execa goes on waiting for a process that cannot be killed.
  const git = spawn('git', run.args, {
    cwd: run.cwd,
    env: run.env,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  const { promise, resolve, reject } = Promise.withResolvers<number | null>();
  let closed = false;
  git.on('error', reject);
  git.once('close', (exitCode) => {
    closed = true;
    resolve(exitCode);
  });
  const stdout = keep(git.stdout, run.maxBytes, { full: onTooMuch, failed: reject });
  const stderr = keep(git.stderr, MAX_STDERR, { full: () => {}, failed: reject });

  let timer: NodeJS.Timeout | undefined;
  const end = () => {
    signalGroup(git.pid, 'SIGTERM');
    timer = setTimeout(() => {
      signalGroup(git.pid, 'SIGKILL');
      timer = setTimeout(() => resolve(null), GIVE_UP_MS);
    }, run.killAfterMs);
  };
  if (stop.aborted) end();
  else stop.addEventListener('abort', end, { once: true });

  try {
    const exitCode = (await promise) ?? undefined;
    return { exitCode, stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr).toString() };
  } finally {
    stop.removeEventListener('abort', end);
    clearTimeout(timer);
    // Of a group that was to end nothing is left.
    if (stop.aborted || !closed) signalGroup(git.pid, 'SIGKILL');
    if (!closed) {
      // Neither its pipes nor its end are to keep this process.
      for (const stream of [git.stdout, git.stderr] as (Readable | undefined)[]) stream?.destroy();
      git.unref();
    }
  }
}

/** The first `most` bytes of a stream, as they come. Without a process there is no stream either. */
function keep(
  stream: Readable | undefined,
  most: number,
  on: { full: () => void; failed: (error: Error) => void },
): Buffer[] {
  const chunks: Buffer[] = [];
  let bytes = 0;
  stream?.on('error', on.failed);
  stream?.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes <= most) chunks.push(chunk);
    else on.full();
  });
  return chunks;
}

/**
 * Whether git complained of damaged objects by the way, and then answered as if they did not belong to the repository. Other
 * complaints may be part of an answer.
 */
function isMistaken(exitCode: number, stderr: string): boolean {
  const complaints = (stderr.match(/^error: .*$/gm) ?? []).join('\n');
  return exitCode !== 0 && gitFailure('', { exitCode, stderr: complaints }).code === 'git-damaged';
}

async function brokenOff({ doing, cwd }: GitRun, error: unknown): Promise<MainsheetError> {
  const missing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
  // A missing directory is reported as if git were missing.
  if (missing && (await isThere(cwd))) {
    return gitFailure(doing, { exitCode: undefined, stderr: 'spawn git ENOENT' });
  }
  return new RetryableError('git-failed', `${doing} failed`, { cause: error });
}

async function isThere(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}

function signalGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // Nobody of the group is left.
  }
}
