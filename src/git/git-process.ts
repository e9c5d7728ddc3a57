import { existsSync } from 'node:fs';
import { errorCode, RetryableError, TerminalError } from '../lib/errors.ts';
import { runProgram, type Program } from '../lib/program.ts';
import { MIRROR, setBack, WORK_TREE } from './git-directory.ts';
import { gitEnvironment } from './git-environment.ts';
import { gitFailure, gitStopped } from './git-failure.ts';

/** One run of git. */
export interface GitRun extends Omit<Program, 'program'> {
  /** What it is for, as the start of an error message: `reading acme/shop`. */
  doing: string;
  /** In milliseconds. */
  timeoutMs: number;
  signal?: AbortSignal | undefined;
  /** Exit codes that are answers; default only 0. */
  accept?: readonly number[] | undefined;
  /** Masked in what git says, in every usual encoding. */
  secrets?: readonly string[];
  /** Called right before git starts. */
  onStart?: (() => void) | undefined;
}

/** The process's environment, for PATH. */
export interface Inherited {
  environment?: Readonly<Record<string, string | undefined>> | undefined;
}

export interface GitAnswer {
  exitCode: number;
  stdout: Buffer;
}

/**
 * Runs git, and ends it as `runProgram` says: on abort, after `timeoutMs`, and when it writes more than `maxBytes`. Throws
 * RetryableError `git-stopped` or `git-timeout`, TerminalError `git-too-large`, RetryableError `git-failed` when git could not be
 * started, and else as `gitFailure` says.
 */
export async function runGit(run: GitRun): Promise<GitAnswer> {
  const { doing, signal, accept = [0] } = run;
  if (signal?.aborted) throw gitStopped(doing, signal);
  run.onStart?.();

  const tooMuch = new AbortController();
  const stops = [AbortSignal.timeout(run.timeoutMs), tooMuch.signal, signal ?? []].flat();
  const stop = AbortSignal.any(stops);
  const { exitCode, stdout, stderr } = await runProgram({ ...run, program: 'git' }, stop, () =>
    tooMuch.abort(),
  ).catch((error: unknown) => {
    // A missing directory is reported as if git were missing.
    const isMissing = errorCode(error) === 'ENOENT' && existsSync(run.cwd);
    if (isMissing) throw gitFailure(doing, { exitCode: undefined, stderr: 'spawn git ENOENT' });
    throw new RetryableError('git-failed', `${doing} failed`, { cause: error });
  });

  if (tooMuch.signal.aborted) {
    throw new TerminalError('git-too-large', `${doing} gave more than ${run.maxBytes} bytes`);
  }
  if (stop.aborted) throw gitStopped(doing, signal);
  const isAnswer = exitCode !== undefined && accept.includes(exitCode);
  if (isAnswer && !isMistaken(exitCode, stderr)) return { exitCode, stdout };
  throw gitFailure(doing, { exitCode, stderr }, run.secrets);
}

/**
 * Whether git complained of damaged objects by the way, and then answered as if they did not belong to the repository. Other
 * complaints may be part of an answer.
 */
function isMistaken(exitCode: number, stderr: string): boolean {
  const complaints = (stderr.match(/^error: .*$/gm) ?? []).join('\n');
  return exitCode !== 0 && gitFailure('', { exitCode, stderr: complaints }).code === 'git-damaged';
}

/** A git call that has no business with any server. Without a work tree the git directory is a mirror. */
export type LocalCall = Pick<GitRun, 'doing' | 'args' | 'signal' | 'accept' | 'onStart'> & {
  gitDirectory: string;
  workTree?: string;
};

/** Runs git, and throws RetryableError or TerminalError as `runGit` says. */
export type LocalGit = (call: LocalCall) => Promise<GitAnswer>;

/**
 * git on directories of our own, which are set back first. The git directory is always named, so that git never looks for one,
 * and no transport is allowed.
 */
export function createLocalGit(
  deps: Pick<GitRun, 'timeoutMs' | 'maxBytes' | 'killAfterMs'> & Inherited,
): LocalGit {
  const { environment, timeoutMs, maxBytes, killAfterMs } = deps;
  const common = gitEnvironment({ inherited: environment, protocols: 'none' });

  return async ({ gitDirectory, workTree, ...call }) => {
    await setBack(gitDirectory, workTree === undefined ? MIRROR : WORK_TREE);
    const env: Record<string, string> = { ...common, GIT_DIR: gitDirectory };
    if (workTree !== undefined) env['GIT_WORK_TREE'] = workTree;
    const cwd = workTree ?? gitDirectory;
    return await runGit({ ...call, env, cwd, timeoutMs, maxBytes, killAfterMs });
  };
}
