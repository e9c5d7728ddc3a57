import type { SimpleGit } from 'simple-git';

/**
 * simple-git in `directory`, for what people do with a git of their own: the demo, and the commands of the terminal. `env` is its
 * whole environment, `input` is given to each call. A call rejects with git's words when git ends with anything but 0. An abort of
 * `signal` is a SIGINT to git. Nothing with a credential of an installation: with DEBUG set simple-git prints the environment.
 */
export async function openGit(options: {
  directory: string;
  env: Record<string, string>;
  input?: string | undefined;
  signal?: AbortSignal | undefined;
}): Promise<SimpleGit> {
  const { directory: baseDir, env, input, signal } = options;
  // When it is first needed: a server that is idle does not have it.
  const { simpleGit } = await import('simple-git');
  const git = simpleGit({
    baseDir,
    ...(signal && { abort: signal }),
    input: () => input,
    allowEnvironment: Object.keys(env),
    // Which files git reads as its configuration is the caller's to say.
    unsafe: { allowUnsafeConfigPaths: true, allowUnsafeConfigEnvCount: true },
    // By default it takes what git has written until 50 ms after its end for all of it.
    completion: { onClose: true, onExit: false },
    // By default an exit code without words is no failure.
    errors: (error, { exitCode }) =>
      exitCode === 0 ? undefined : (error ?? new Error(`git ended with ${exitCode}`)),
  });
  return git.env(env).outputHandler((_git, stdout) => {
    // It would wait 50 ms more for a git that writes nothing.
    queueMicrotask(() => stdout.emit('data', Buffer.alloc(0)));
  });
}
