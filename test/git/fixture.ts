import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import { promisify } from 'node:util';
import { systemClock } from '../../src/lib/clock.ts';
import { silentLogger } from '../../src/lib/logger.ts';
import { createCheckouts, type Checkouts } from '../../src/git/checkouts.ts';
import { createMirrors, type MirrorLimits, type Mirrors } from '../../src/git/mirrors.ts';
import type { GitCredential } from '../../src/git/remote-git.ts';
import { startGitServer, type GitServer } from './git-server.ts';

/** Runs a program as the author does, who has a git as if freshly installed. */
export const run = (
  file: string,
  args: readonly string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv } = {},
) => promisify(execFile)(file, args, { env: authorEnvironment(), ...options });

/** A repository on a real git server, and what is tested. */
export interface Fixture {
  /** A temporary directory; nothing outside of it may change. */
  root: string;
  /** The data directory's part that belongs to git. */
  data: string;
  server: GitServer;
  mirrors: Mirrors;
  checkouts: Checkouts;
  /** Of git in `mirrors` and `checkouts` that are made after it was changed. */
  environment: NodeJS.ProcessEnv;
  /** Other mirrors and checkouts on the same directories, as after a restart. */
  restart: () => { mirrors: Mirrors; checkouts: Checkouts };
  /** A bare repository on the server with one commit on `main`. */
  repository: string;
  /** git in the author's clone of `repository`; returns what it printed, trimmed. */
  git: (...args: string[]) => Promise<string>;
  /** git in the server's bare repository. */
  serverGit: (...args: string[]) => Promise<string>;
  /** Writes files (undefined: removes one), commits them, pushes the branch, and returns the commit. */
  commit: (files: Record<string, string | undefined>, branch?: string) => Promise<string>;
}

export const silent = silentLogger;

/** Everything in a temporary directory that is removed when the test ends. */
export async function createFixture(
  context: TestContext,
  options: {
    credential?: GitCredential;
    limits?: Partial<MirrorLimits>;
  } = {},
): Promise<Fixture> {
  const root = await mkdtemp(join(tmpdir(), 'mainsheet-git-'));
  const served = join(root, 'served');
  const author = join(root, 'author');
  const data = join(root, 'data');
  const bare = join(served, 'acme', 'shop.git');
  await mkdir(bare, { recursive: true });
  await mkdir(author);
  const server = await startGitServer(served);
  context.after(async () => {
    await server.close();
    await rm(root, { recursive: true, force: true });
  });

  const gitIn =
    (directory: string) =>
    async (...args: string[]) =>
      (await run('git', args, { cwd: directory })).stdout.trim();
  const git = gitIn(author);
  const serverGit = gitIn(bare);
  await serverGit('init', '--quiet', '--bare', '--initial-branch=main');
  await git('init', '--quiet', '--initial-branch=main');
  await git('remote', 'add', 'origin', bare);

  const environment = { ...process.env };
  function restart() {
    const common = { logger: silent, clock: systemClock, environment: { ...environment } };
    const mirrors = createMirrors({
      ...common,
      directory: join(data, 'mirrors'),
      serverUrl: server.url,
      credentials: async () => await Promise.resolve(options.credential),
      limits: { killAfterMs: 1000, ...options.limits },
    });
    const checkouts = createCheckouts({ ...common, directory: join(data, 'work'), mirrors });
    return { mirrors, checkouts };
  }

  async function commit(files: Record<string, string | undefined>, branch = 'main') {
    for (const [name, content] of Object.entries(files)) {
      const path = join(author, name);
      await mkdir(dirname(path), { recursive: true });
      if (content === undefined) await rm(path);
      else await writeFile(path, content);
    }
    await git('add', '--all', '--force');
    await git('commit', '--quiet', '--allow-empty', '--message=change');
    await git('push', '--quiet', '--force', 'origin', `HEAD:refs/heads/${branch}`);
    return await git('rev-parse', 'HEAD');
  }

  await commit({ 'README.md': 'first\n', 'src/index.js': 'one\n' });
  const repository = 'acme/shop';
  const made = { root, data, server, environment, ...restart(), restart };
  return { ...made, repository, git, serverGit, commit };
}

/** Resolves when `condition` holds; the test's own time limit ends a wait that is in vain. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await systemClock.sleep(5);
}

/** The command lines of all processes, one string each, arguments separated by spaces. */
export async function commandLines(): Promise<string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const lines = pids.map(
    async (pid) => await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => ''),
  );
  return (await Promise.all(lines)).map((line) => line.replaceAll('\0', ' '));
}

export function authorEnvironment(): NodeJS.ProcessEnv {
  return {
    PATH: process.env['PATH'],
    HOME: '/nonexistent',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_AUTHOR_NAME: 'author',
    GIT_AUTHOR_EMAIL: 'author@example.test',
    GIT_COMMITTER_NAME: 'author',
    GIT_COMMITTER_EMAIL: 'author@example.test',
    GIT_ALLOW_PROTOCOL: 'file',
  };
}
