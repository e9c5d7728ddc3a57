import { createAppAuth } from '@octokit/auth-app';
import type { Octokit } from '@octokit/rest';
import type { Clock } from '../lib/clock.ts';
import { MainsheetError, TerminalError } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import { asGitHubFailure } from './failure.ts';
import { checkApp, checkToken, type GitHubCheck } from './check.ts';
import { createInstallations } from './installations.ts';
import { createOctokit, type OctokitSettings } from './octokit.ts';

/** One GitHub, as whoever the configuration says we are. */
export interface GitHub {
  /** A client that may act on the repository. Throws RetryableError or TerminalError, `github-not-configured` among them. */
  octokit(repository: string): Promise<Octokit>;
  /** A client that acts as the App itself, for what is the App's own; undefined without an App. */
  readonly app: Octokit | undefined;
  /**
   * What git may log in with to read the repository over HTTPS, valid for at least a minute. Undefined when there is nothing to
   * log in with, or the App is not installed there: a public repository needs none.
   */
  gitCredential(
    repository: string,
  ): Promise<{ username: 'x-access-token'; password: string } | undefined>;
  /** The repository's token was refused: the next request gets a new one, where tokens are made. */
  forget(repository: string): void;
  /** What `doctor` reports: whether GitHub accepts us, what is missing, and how to mend it. Never throws. */
  check(): Promise<GitHubCheck[]>;
}

export interface GitHubDeps {
  apiUrl: string;
  /** Undefined: nothing is reported to GitHub. */
  auth:
    | { kind: 'app'; appId: string; privateKey: string }
    | { kind: 'token'; token: string }
    | undefined;
  logger: Logger;
  clock: Clock;
  userAgent?: string;
  /** Until the last byte of an answer; default ten seconds. */
  requestTimeoutMs?: number;
  /** Default: the platform's. */
  fetch?: typeof fetch;
  onPrimaryLimit?: OctokitSettings['onPrimaryLimit'];
}

/**
 * Access to GitHub. As an App, installations are looked up by repository and their tokens made, kept and renewed in time; with a
 * token there is one client. No request outlasts its time-out, and no token or key ever goes into a log line or an error.
 */
export function createGitHub(deps: GitHubDeps): GitHub {
  const settings: OctokitSettings = {
    apiUrl: deps.apiUrl,
    logger: deps.logger,
    clock: deps.clock,
    userAgent: deps.userAgent ?? 'mainsheet',
    requestTimeoutMs: deps.requestTimeoutMs ?? 10_000,
    fetch: deps.fetch ?? fetch,
    onPrimaryLimit: deps.onPrimaryLimit,
  };
  if (deps.auth === undefined) return withoutAuth();
  return deps.auth.kind === 'token'
    ? withToken(settings, deps.auth.token)
    : withApp(settings, deps.auth);
}

function withoutAuth(): GitHub {
  const message = 'no credentials for GitHub are configured, so that nothing is reported there';
  const hint = 'set GITHUB_APP_ID and GITHUB_APP_PRIVATE_KEY, or GITHUB_TOKEN';
  return {
    app: undefined,
    async octokit() {
      throw new TerminalError('github-not-configured', message, { hint });
    },
    gitCredential: async () => undefined,
    forget() {},
    check: async () => [{ ok: false, detail: message, hint }],
  };
}

function withToken(settings: OctokitSettings, token: string): GitHub {
  const client = createOctokit(settings, { auth: token });
  return {
    octokit: async () => client,
    app: undefined,
    gitCredential: async () => ({ username: 'x-access-token', password: token }),
    forget() {},
    check: () => checkToken(settings, token),
  };
}

function withApp(settings: OctokitSettings, app: { appId: string; privateKey: string }): GitHub {
  const installations = createInstallations(settings, app);
  return {
    octokit: (repository) => installations.octokit(repository),
    app: createOctokit(settings, { authStrategy: createAppAuth, auth: app }),
    async gitCredential(repository) {
      try {
        const client = await installations.octokit(repository);
        return { username: 'x-access-token', password: await readingToken(client, repository) };
      } catch (error) {
        if (error instanceof MainsheetError && error.code === 'github-not-installed')
          return undefined;
        installations.forget(repository);
        throw asGitHubFailure(error, {
          doing: `get a token for ${repository}`,
          now: settings.clock.now(),
        });
      }
    },
    forget: (repository) => installations.forget(repository),
    check: () => checkApp(settings, app),
  };
}

/** Git gets no more than it needs: to read this one repository. The token is kept until a minute before it expires. */
async function readingToken(client: Octokit, repository: string): Promise<string> {
  const made: unknown = await client.auth({
    type: 'installation',
    repositoryNames: [repository.slice(repository.indexOf('/') + 1)],
    permissions: { contents: 'read' },
  });
  const token = typeof made === 'object' && made !== null && 'token' in made ? made.token : '';
  if (typeof token === 'string' && token !== '') return token;
  throw new TerminalError('github-failed', `GitHub made no token for ${repository}`);
}
