import { createAppAuth } from '@octokit/auth-app';
import type { Octokit } from '@octokit/rest';
import { RequestError } from '@octokit/request-error';
import { TerminalError } from '../lib/errors.ts';
import { asGitHubFailure, isPage } from './failure.ts';
import { createOctokit, type OctokitSettings } from './octokit.ts';

/** The installations of a GitHub App, found by repository. */
export interface Installations {
  /** The client of the installation that covers the repository. */
  octokit(repository: string): Promise<Octokit>;
  /** Forgets the repository's installation and its token, both of which are asked for again next time. */
  forget(repository: string): void;
}

interface Found {
  client: Promise<Octokit>;
  /** Milliseconds since the epoch. */
  until: number;
}

/** An App may be removed and installed again, which gives it another number. */
const FOUND_FOR_MS = 60 * 60_000;
/** A person who has just installed the App does not want to wait; a repository without it must not cost a request each time. */
const MISSING_FOR_MS = 60_000;
const MAX_REMEMBERED = 10_000;

/**
 * Looks installations up with the App's own token, once for all that ask at the same time. Throws TerminalError
 * `github-not-installed` (remembered for a minute), `github-suspended`, `github-app-key`, or what `asGitHubFailure` makes of
 * GitHub's answer (not remembered). https://docs.github.com/en/rest/apps/apps#get-a-repository-installation-for-the-authenticated-app
 */
export function createInstallations(
  settings: OctokitSettings,
  app: { appId: string; privateKey: string },
  /** Hears of what GitHub has said. */
  onAsked?: (repository: string, isThere: boolean) => void,
): Installations {
  const { clock } = settings;
  // What the App itself asks is not counted against any installation.
  const asApp = createOctokit(
    { ...settings, onPrimaryLimit: undefined },
    { authStrategy: createAppAuth, auth: app },
  );
  const byRepository = new Map<string, Found>();
  const byInstallation = new Map<number, Octokit>();

  async function lookUp(repository: string): Promise<number> {
    const [owner = '', repo = ''] = repository.split('/');
    try {
      const { data } = await asApp.request('GET /repos/{owner}/{repo}/installation', {
        owner,
        repo,
      });
      onAsked?.(repository, true);
      if (data.suspended_at) throw suspended(repository);
      return data.id;
    } catch (error) {
      const isMissing = error instanceof RequestError && error.status === 404;
      if (isMissing && !isPage(error.response?.data)) {
        onAsked?.(repository, false);
        throw notInstalled(repository);
      }
      throw asAppFailure(error, repository, clock.now());
    }
  }

  async function find(repository: string): Promise<Octokit> {
    const installationId = await lookUp(repository);
    const known = byInstallation.get(installationId);
    if (known !== undefined) return known;
    const client = createOctokit(settings, {
      authStrategy: createAppAuth,
      auth: { ...app, installationId },
    });
    byInstallation.set(installationId, client);
    return client;
  }

  function remember(key: string, found: Found): void {
    const oldest = byRepository.keys().next().value;
    if (byRepository.size >= MAX_REMEMBERED && oldest !== undefined) byRepository.delete(oldest);
    byRepository.set(key, found);
  }

  return {
    async octokit(repository) {
      const key = repository.toLowerCase();
      const known = byRepository.get(key);
      if (known !== undefined && known.until > clock.now()) return known.client;
      const found = { client: find(repository), until: clock.now() + FOUND_FOR_MS };
      remember(key, found);
      try {
        return await found.client;
      } catch (error) {
        const missing = error instanceof TerminalError && error.code === 'github-not-installed';
        if (missing) found.until = clock.now() + MISSING_FOR_MS;
        else if (byRepository.get(key) === found) byRepository.delete(key);
        throw error;
      }
    },
    forget(repository) {
      const key = repository.toLowerCase();
      const known = byRepository.get(key);
      byRepository.delete(key);
      // Its client holds the token.
      known?.client.then(
        (client) => {
          for (const [id, other] of byInstallation) if (other === client) byInstallation.delete(id);
        },
        () => {},
      );
    },
  };
}

/** What a request as the App itself threw. All that is neither GitHub's answer nor the network is the key: signing needs no more. */
export function asAppFailure(error: unknown, repository: string | undefined, now: number): Error {
  const of = repository === undefined ? '' : ` on ${repository}`;
  const failure = asGitHubFailure(error, { doing: `authenticate as the GitHub App${of}`, now });
  return failure.code === 'github-failed'
    ? new TerminalError('github-app-key', "the GitHub App's private key cannot be used", {
        cause: error,
        hint: 'GITHUB_APP_PRIVATE_KEY is to hold the whole PEM file that GitHub gave you',
      })
    : failure;
}

function notInstalled(repository: string): TerminalError {
  return new TerminalError(
    'github-not-installed',
    `the GitHub App is not installed on ${repository}`,
    {
      hint: "install it there, or add the repository to the installation's list",
    },
  );
}

function suspended(repository: string): TerminalError {
  return new TerminalError(
    'github-suspended',
    `the GitHub App's installation on ${repository} is suspended`,
    { hint: 'an owner of the account can unsuspend it in its settings' },
  );
}
