import { readFileSync } from 'node:fs';
import { chmod, chown, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { systemClock, type Clock } from '../../src/lib/clock.ts';
import type { SystemUser } from '../../src/lib/hand-over.ts';
import type { StepLimits } from '../../src/lib/step-limits.ts';
import type { StepResult } from '../../src/steps/contract.ts';
import { createRunProgram } from '../../src/steps/run-program.ts';
import { createShellStep, findShell, type ShellProgram } from '../../src/steps/shell.ts';

export interface Attempt {
  result: Promise<StepResult>;
  /** What was logged so far, as it came. */
  pieces: { stream: 'stdout' | 'stderr'; text: string }[];
  text(stream?: 'stdout' | 'stderr'): string;
  cancel(reason?: unknown): void;
  directory: string;
  scratch: string;
}

interface Options {
  env?: Record<string, string>;
  clock?: Clock;
  timeoutMs?: number;
  killGraceMs?: number;
  shell?: ShellProgram;
  limits?: StepLimits;
  allowed?: StepLimits;
  /** Only root can run it as another user. */
  user?: SystemUser;
  setpriv?: string | undefined;
  /** Called with the scratch directory before the step starts. */
  prepare?: (scratch: string) => Promise<void>;
  log?: (stream: 'stdout' | 'stderr', text: string) => void;
}

/** Runs a script as a shell step, for real, in directories of its own that go away with the test. */
export async function runScript(
  t: TestContext,
  run: string,
  options: Options = {},
): Promise<Attempt> {
  const root = await mkdtemp(join(tmpdir(), 'mainsheet-step-'));
  t.after(() => rm(root, { recursive: true, force: true }));
  const directory = join(root, 'checkout');
  const scratch = join(root, 'scratch');
  await mkdir(directory);
  await mkdir(scratch);
  if (options.user !== undefined) {
    await chmod(root, 0o711);
    await chown(directory, options.user.uid, options.user.gid);
  }
  await options.prepare?.(scratch);
  const pieces: Attempt['pieces'] = [];
  const controller = new AbortController();
  const shell = options.shell ?? (await findShell());
  const { user, setpriv } = options;
  const runProgram = createRunProgram({
    clock: options.clock ?? systemClock,
    shell,
    user,
    setpriv,
    killGraceMs: options.killGraceMs ?? 60_000,
  });
  const step = createShellStep({ runProgram, shell, user, limits: options.allowed });
  const result = step({
    step: {
      kind: 'shell',
      name: 'Test',
      run,
      env: {},
      timeoutMs: undefined,
      retry: { attempts: 1, backoffMs: 0 },
      ...(options.limits === undefined ? {} : { limits: options.limits }),
    },
    attemptId: 'r1-1-1',
    directory,
    scratch,
    env: { PATH: process.env['PATH'] ?? '', ...options.env },
    written: {},
    values: {},
    secrets: {},
    keep: async () => {},
    logAndKeep: async () => {},
    log: options.log ?? ((stream, text) => pieces.push({ stream, text })),
    signal: controller.signal,
    timeoutMs: options.timeoutMs ?? 60_000,
  });
  return {
    result,
    pieces,
    text: (stream) =>
      pieces
        .filter((piece) => stream === undefined || piece.stream === stream)
        .map((piece) => piece.text)
        .join(''),
    cancel: (reason) => controller.abort(reason),
    directory,
    scratch,
  };
}

/** Whether a process is there and not merely waiting to be reaped. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return !/\) [ZX]/.test(stat);
  } catch {
    // No /proc: a process that waits to be reaped counts as alive.
    return process.platform !== 'linux';
  }
}
