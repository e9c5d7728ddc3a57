import { GitPluginError, simpleGit } from 'simple-git';
import { RetryableError, TerminalError } from '../lib/errors.ts';
import { gitEnvironment } from './git-environment.ts';
import { gitFailure, gitStopped } from './git-failure.ts';

/** A git call that has no business with any server. */
export interface LocalCall {
  /** What it is for, as the start of an error message: `reading acme/shop`. */
  doing: string;
  args: string[];
  gitDirectory: string;
  /** Undefined for a bare repository. */
  workTree?: string;
  signal?: AbortSignal | undefined;
  /** Exit codes that are answers; default only 0. */
  accept?: number[];
}

export interface GitAnswer {
  exitCode: number;
  stdout: Buffer;
}

/** Runs git, and throws RetryableError or TerminalError as `gitFailure` says. */
export type LocalGit = (call: LocalCall) => Promise<GitAnswer>;

/** What simple-git would refuse: each of these only switches something off (see `SETTINGS`). */
const UNSAFE = {
  allowUnsafeConfigEnvCount: true,
  allowUnsafeConfigPaths: true,
  allowUnsafeHooksPath: true,
  allowUnsafeFsMonitor: true,
  allowUnsafeCredentialHelper: true,
};

/**
 * git on directories of our own, through simple-git, whose guards refuse options that would start other programs.
 * The git directory is always named, so that git never looks for one, and no transport is allowed. A call ends after
 * `timeoutMs`, when its signal aborts, and when it writes more than `maxBytes`.
 */
export function createLocalGit(deps: {
  environment?: Readonly<Record<string, string | undefined>> | undefined;
  timeoutMs: number;
  maxBytes: number;
}): LocalGit {
  const common = gitEnvironment({ inherited: deps.environment, protocols: 'none' });

  return async (call) => {
    const env: Record<string, string> = { ...common, GIT_DIR: call.gitDirectory };
    if (call.workTree !== undefined) env['GIT_WORK_TREE'] = call.workTree;

    const chunks: Buffer[] = [];
    let bytes = 0;
    const tooMuch = new AbortController();
    const collect = (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > deps.maxBytes) tooMuch.abort();
      else chunks.push(chunk);
    };
    const stops = [AbortSignal.timeout(deps.timeoutMs), tooMuch.signal, call.signal ?? []].flat();
    let ended = { exitCode: -1, stderr: '' };

    const git = simpleGit({
      baseDir: call.workTree ?? call.gitDirectory,
      abort: AbortSignal.any(stops),
      allowEnvironment: Object.keys(env),
      unsafe: UNSAFE,
      completion: { onClose: true, onExit: false },
      errors(error, { exitCode, stdErr }) {
        ended = { exitCode, stderr: Buffer.concat(stdErr).toString() };
        // simple-git takes an exit code without a message for success; the code is judged below.
        return error instanceof GitPluginError ? error : undefined;
      },
    })
      .env(env)
      .outputHandler((_command, stdout) => {
        stdout.on('data', collect);
        // simple-git waits 50 ms for the output of a command that wrote nothing, though there can be none any more.
        stdout.once('end', () => stdout.emit('data', Buffer.alloc(0)));
      });

    try {
      await git.raw(call.args);
    } catch (error) {
      if (tooMuch.signal.aborted) throw tooLarge(call, deps.maxBytes);
      if (stops.some((stop) => stop.aborted)) throw gitStopped(call.doing, call.signal);
      throw new RetryableError('git-failed', `${call.doing} failed`, { cause: error });
    }
    if (!(call.accept ?? [0]).includes(ended.exitCode) || isNoAnswer(ended)) {
      throw gitFailure(call.doing, ended);
    }
    return { exitCode: ended.exitCode, stdout: Buffer.concat(chunks) };
  };
}

function tooLarge(call: LocalCall, maxBytes: number): TerminalError {
  return new TerminalError('git-too-large', `${call.doing} gave more than ${maxBytes} bytes`);
}

/**
 * Whether git complained of damaged objects by the way, and then answered as if they did not belong to the repository. Other
 * complaints may be part of an answer.
 */
function isNoAnswer({ exitCode, stderr }: { exitCode: number; stderr: string }): boolean {
  const complaints = (stderr.match(/^error: .*$/gm) ?? []).join('\n');
  return exitCode !== 0 && gitFailure('', { exitCode, stderr: complaints }).code === 'git-damaged';
}
