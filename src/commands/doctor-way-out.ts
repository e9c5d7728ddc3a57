import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Config } from '../config.ts';
import { createRemoteGit, type GitCredential } from '../git/remote-git.ts';
import { createServerRefs } from '../git/server-refs.ts';
import { createBoundedFetch } from '../github/bounded-fetch.ts';
import { MainsheetError } from '../lib/errors.ts';
import { createFetch, gitWayOut, proxyFor } from '../lib/way-out.ts';
import { about, type Check } from './doctor-check.ts';

const TIMEOUT_MS = 10_000;
/** The server has answered git, whatever it thinks of the repository. */
const ANSWERS = new Set([
  'repository-not-found',
  'repository-moved',
  'git-authentication',
  'git-forbidden',
  'ref-missing',
]);

/**
 * Whether GitHub's API and its git server can be reached by the proxies and certificates that are set, each with the program that
 * Mainsheet uses for it. Nothing when none are.
 */
export async function checkWayOut(deps: {
  config: Config;
  env: Record<string, string | undefined>;
  /** One that git may ask for; undefined: git is not tried. */
  repository: string | undefined;
  credential: (repository: string) => Promise<GitCredential | undefined>;
  signal: AbortSignal;
}): Promise<Check[]> {
  const { config, repository } = deps;
  const { wayOut, github } = config;
  const { httpsProxy, httpProxy, certificates } = wayOut;
  if ((httpsProxy ?? httpProxy) === undefined && certificates.length === 0) return [];
  const way = (url: string) => {
    const proxy = proxyFor(wayOut, new URL(url));
    const by = proxy === undefined ? 'without a proxy' : `through the proxy ${new URL(proxy).host}`;
    return `${new URL(url).host} is reached ${by}`;
  };
  const checks = [await attempt(way(github.apiUrl), () => askApi(deps))];
  if (repository === undefined) return checks;
  return [
    ...checks,
    await attempt(`git: ${way(github.serverUrl)}`, () => askGit(deps, repository)),
  ];
}

async function attempt(detail: string, ask: () => Promise<void>): Promise<Check> {
  const { ok, failed } = about('way out');
  try {
    await ask();
    return ok(detail);
  } catch (error) {
    return failed(error);
  }
}

async function askApi({ config, signal }: Parameters<typeof checkWayOut>[0]): Promise<void> {
  const ask = createBoundedFetch({
    timeoutMs: TIMEOUT_MS,
    maxBytes: 1024 * 1024,
    fetch: createFetch(config.wayOut),
  });
  // Whatever it answers: it is reached.
  await ask(config.github.apiUrl, { signal });
}

async function askGit(
  { config, env, credential, signal }: Parameters<typeof checkWayOut>[0],
  repository: string,
): Promise<void> {
  const { serverUrl } = config.github;
  const directory = await mkdtemp(join(tmpdir(), 'mainsheet-doctor-'));
  try {
    const remote = createRemoteGit({
      serverUrl,
      credentials: credential,
      environment: env,
      wayOut: await gitWayOut(config.wayOut, serverUrl, directory),
      maxBytes: 64 * 1024 * 1024,
      killAfterMs: 1000,
    });
    await createServerRefs(remote, TIMEOUT_MS).revision(repository, undefined, { signal });
  } catch (error) {
    if (!(error instanceof MainsheetError && ANSWERS.has(error.code))) throw error;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
