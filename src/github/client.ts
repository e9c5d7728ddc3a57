import { createAppAuth } from '@octokit/auth-app';
import { RequestError } from '@octokit/request-error';
import type { Octokit } from '@octokit/rest';
import * as z from 'zod';
import type { Clock } from '../lib/clock.ts';
import { MainsheetError, TerminalError } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import { isRepository, REPOSITORY_RULE } from '../lib/names.ts';
import { asGitHubFailure } from './failure.ts';
import { checkApp, checkToken, type GitHubCheck, type Permission } from './check.ts';
import { createInstallations } from './installations.ts';
import { createOctokit, type OctokitSettings } from './octokit.ts';

/** One GitHub, as the one that the configuration says we are. */
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
  /**
   * What GitHub calls the repository now, asked of it by a name that it has or had. Throws RetryableError or TerminalError, as
   * `octokit` and `asGitHubFailure` do.
   */
  currentName(repository: string): Promise<string>;
  /** The repository's token was refused: the next request gets a new one, where tokens are made. */
  forget(repository: string): void;
  /** What `doctor` reports: whether GitHub accepts us, which permissions are missing, and how to mend it. Never throws. */
  check(permissions: readonly Permission[], events: ReadonlySet<string>): Promise<GitHubCheck[]>;
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
  /** What is known of repositories' numbers and names; default nothing. */
  names?: RepositoryNames;
  /** Default: the platform's. */
  fetch?: typeof fetch;
  onPrimaryLimit?: OctokitSettings['onPrimaryLimit'];
  /** GitHub has just said whether the App is installed on the repository. */
  onInstallation?: (repository: string, isThere: boolean) => void;
}

/** Where repositories' numbers and names are kept. */
export interface RepositoryNames {
  idOf(repository: string): Promise<number | undefined>;
  /** GitHub has just said that the repository with this number, asked for as `asked`, is called `name`. */
  called(id: number, name: string, asked: string): Promise<void>;
}

const NO_NAMES: RepositoryNames = { idOf: async () => undefined, called: async () => {} };

const repositoryAnswer = z.object({ id: z.number(), full_name: z.string() });

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
  const { names = NO_NAMES } = deps;
  return deps.auth.kind === 'token'
    ? withToken(settings, deps.auth.token, names)
    : withApp(settings, deps.auth, names, deps.onInstallation);
}

function withoutAuth(): GitHub {
  const message = 'no credentials for GitHub are configured, so that nothing is reported there';
  const hint = 'set GITHUB_APP_ID and GITHUB_APP_PRIVATE_KEY, or GITHUB_TOKEN';
  const refuse = async () => {
    throw new TerminalError('github-not-configured', message, { hint });
  };
  return {
    app: undefined,
    octokit: refuse,
    currentName: refuse,
    gitCredential: async () => undefined,
    forget() {},
    check: async () => [{ ok: false, detail: message, hint }],
  };
}

function withToken(settings: OctokitSettings, token: string, names: RepositoryNames): GitHub {
  const client = createOctokit(settings, { auth: token });
  return {
    octokit: async () => client,
    currentName: async (repository) =>
      (await lookUp(client, repository, names, settings.clock.now())).full_name,
    app: undefined,
    gitCredential: async () => ({ username: 'x-access-token', password: token }),
    forget() {},
    check: () => checkToken(settings, token),
  };
}

function withApp(
  settings: OctokitSettings,
  app: { appId: string; privateKey: string },
  names: RepositoryNames,
  onInstallation: GitHubDeps['onInstallation'],
): GitHub {
  const installations = createInstallations(settings, app, onInstallation);

  /** By its number where that is known: GitHub makes no token for a name that the repository had before. */
  async function tokenFor(client: Octokit, repository: string): Promise<string> {
    const id = await names.idOf(repository);
    const name = repository.slice(repository.indexOf('/') + 1);
    try {
      return await readingToken(client, id === undefined ? { repositoryNames: [name] } : byId(id));
    } catch (error) {
      if (!(error instanceof RequestError && error.status === 422)) throw error;
      const found = await lookUp(client, repository, names, settings.clock.now());
      return await readingToken(client, byId(found.id));
    }
  }

  return {
    octokit: (repository) => installations.octokit(repository),
    async currentName(repository) {
      const client = await installations.octokit(repository);
      return (await lookUp(client, repository, names, settings.clock.now())).full_name;
    },
    app: createOctokit(settings, { authStrategy: createAppAuth, auth: app }),
    async gitCredential(repository) {
      try {
        const client = await installations.octokit(repository);
        return { username: 'x-access-token', password: await tokenFor(client, repository) };
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
    check: (permissions, events) => checkApp(settings, app, permissions, events),
  };
}

const byId = (id: number) => ({ repositoryIds: [id] });

/** Git gets no more than it needs: to read this one repository. The token is kept until a minute before it expires. */
async function readingToken(
  client: Octokit,
  one: { repositoryIds: number[] } | { repositoryNames: string[] },
): Promise<string> {
  const made: unknown = await client.auth({
    type: 'installation',
    ...one,
    permissions: { contents: 'read' },
  });
  const token = typeof made === 'object' && made !== null && 'token' in made ? made.token : '';
  if (typeof token === 'string' && token !== '') return token;
  throw new TerminalError('github-failed', 'GitHub made no token');
}

/** Follows GitHub's redirect from a former name: https://docs.github.com/en/rest/repos/repos#get-a-repository */
async function lookUp(
  client: Octokit,
  repository: string,
  names: RepositoryNames,
  now: number,
): Promise<z.output<typeof repositoryAnswer>> {
  const [owner = '', repo = ''] = repository.split('/');
  try {
    const { data } = await client.request('GET /repos/{owner}/{repo}', { owner, repo });
    const found = repositoryAnswer.parse(data);
    // It becomes part of paths and URLs.
    if (!isRepository(found.full_name)) throw unusableName();
    await names.called(found.id, found.full_name, repository);
    return found;
  } catch (error) {
    throw asGitHubFailure(error, { doing: `look up ${repository}`, now });
  }
}

function unusableName(): TerminalError {
  return new TerminalError('invalid-repository', 'GitHub gave a name that no repository can have', {
    hint: REPOSITORY_RULE,
  });
}
