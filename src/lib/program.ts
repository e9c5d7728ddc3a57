import { spawn } from 'node:child_process';
import type { Readable } from 'node:stream';

/** A program, and what bounds it. */
export interface Program {
  program: string;
  args: string[];
  /** Its whole environment. */
  env: Record<string, string>;
  cwd: string;
  /** How long it has to clean up when it is stopped before it is killed, in milliseconds. */
  killAfterMs: number;
  /** Most bytes that are read from its stdout. */
  maxBytes: number;
}

export interface Ended {
  /** Undefined when a signal ended it, or its end was not waited for. */
  exitCode: number | undefined;
  stdout: Buffer;
  stderr: string;
}

/** Most bytes that are kept of what it says on stderr; what it says after that is dropped. */
const MAX_STDERR = 1024 * 1024;
/** How long a killed program may take to be gone, in milliseconds, before it is not waited for any more. */
const GIVE_UP_MS = 1000;

/**
 * Runs a program. It and its children are one process group, which is ended as a whole when `stop` aborts: SIGTERM first, SIGKILL
 * after `killAfterMs`; a second later the call is over even if the program is not. Calls `onTooMuch` when it writes more than
 * `maxBytes`. Resolves when it has ended and no process has its output open any more. Rejects when it could not be started or its
 * output not be read.
 */
export async function runProgram(
  { program, args, env, cwd, killAfterMs, maxBytes }: Program,
  stop: AbortSignal,
  onTooMuch: () => void,
): Promise<Ended> {
  // Node's own `spawn`: execa goes on waiting for a process that cannot be killed.
  const stdio = ['ignore', 'pipe', 'pipe'] as ['ignore', 'pipe', 'pipe'];
  const child = spawn(program, args, { cwd, env, stdio, detached: true });
  const { promise, resolve, reject } = Promise.withResolvers<number | null>();
  let closed = false;
  child.on('error', reject);
  child.once('close', (exitCode) => {
    closed = true;
    resolve(exitCode);
  });
  const stdout = keep(child.stdout, maxBytes, { full: onTooMuch, failed: reject });
  const stderr = keep(child.stderr, MAX_STDERR, { full: () => {}, failed: reject });

  let timer: NodeJS.Timeout | undefined;
  const end = () => {
    signalGroup(child.pid, 'SIGTERM');
    timer = setTimeout(() => {
      signalGroup(child.pid, 'SIGKILL');
      timer = setTimeout(() => resolve(null), GIVE_UP_MS);
    }, killAfterMs);
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
    if (stop.aborted || !closed) signalGroup(child.pid, 'SIGKILL');
    if (!closed) {
      // Neither its pipes nor its end are to keep this process.
      const streams: (Readable | undefined)[] = [child.stdout, child.stderr];
      for (const stream of streams) stream?.destroy();
      child.unref();
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

function signalGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  try {
    if (pid !== undefined) process.kill(-pid, signal);
  } catch {
    // Nothing of the group is left.
  }
}
