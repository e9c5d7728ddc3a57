import { errorCode, TerminalError } from '../lib/errors.ts';
import { checkRepository, elsewhere } from '../lib/names.ts';
import type { GitWayOut } from '../lib/way-out.ts';
import { MIRROR, setBack } from './git-directory.ts';
import { gitEnvironment } from './git-environment.ts';
import { runGit, type GitRun, type Inherited } from './git-process.ts';

/** What git tells the server: HTTP Basic authentication. */
export interface GitCredential {
  username: string;
  password: string;
}

/** A server, and how git reaches it. */
export interface GitServer {
  /** `https://github.com`: http(s), without a user, a query or a slash at its end. */
  serverUrl: string;
  credentials: (repository: string) => Promise<GitCredential | undefined>;
  /** Told that the server refused what `credentials` gave, which may have something newer. */
  refused?: (repository: string) => void;
  /** What repositories are called now, when they were renamed. */
  names?: {
    of(repository: string): Promise<string>;
    /** The server has sent git elsewhere: asks it for the name. Throws when it does not say. */
    ask(repository: string): Promise<string>;
  };
  /** Default: straight. */
  wayOut?: GitWayOut;
}

/** A git call that talks to the server about one repository. */
export type RemoteCall = Pick<GitRun, 'doing' | 'timeoutMs' | 'signal' | 'onStart'> & {
  repository: string;
  /** The arguments, given the repository's URL. */
  args: (url: string) => string[];
  /** A mirror; undefined for a call that needs none. */
  gitDirectory?: string;
};

/** Runs git, and returns what it wrote to stdout. Throws RetryableError or TerminalError as `runGit` says. */
export type RemoteGit = (call: RemoteCall) => Promise<string>;

/**
 * git against servers, over HTTP and nothing else: the first one's, or that of `others` which the repository names. The credential
 * goes into git's environment as a header for its own server only, and redirects are not followed, so that no other host sees it.
 * When the server refuses a credential and there is another by then, git is run once more; so it is when the repository has another
 * name by now. Throws TerminalError `server-unknown`.
 */
export function createRemoteGit(
  deps: GitServer &
    Pick<GitRun, 'maxBytes' | 'killAfterMs'> &
    Inherited & { others?: ReadonlyMap<string, GitServer> },
): RemoteGit {
  const { environment, maxBytes, killAfterMs } = deps;

  return async (call) => {
    const server = serverOf(checkRepository(call.repository));
    const { names } = server;
    const name = (await names?.of(call.repository)) ?? call.repository;
    try {
      return await withCredential(server, call, name);
    } catch (error) {
      if (errorCode(error) !== 'repository-moved' || names === undefined) throw error;
      const other = await names.ask(name).catch(() => name);
      if (other.toLowerCase() === name.toLowerCase()) throw error;
      return await withCredential(server, call, other);
    }
  };

  function serverOf(repository: string): GitServer {
    const place = elsewhere(repository);
    const server = place === undefined ? deps : deps.others?.get(place.server);
    if (server !== undefined) return server;
    throw new TerminalError('server-unknown', `there is no server called ${place?.server}`, {
      hint: 'name it in MAINSHEET_SERVERS, with its type and URL',
    });
  }

  async function withCredential(
    server: GitServer,
    call: RemoteCall,
    name: string,
  ): Promise<string> {
    const credential = await server.credentials(name);
    try {
      return await run(server, call, name, credential);
    } catch (error) {
      if (credential === undefined || errorCode(error) !== 'git-authentication') throw error;
      server.refused?.(name);
      const other = await server.credentials(name);
      if (other === undefined || other.password === credential.password) throw error;
      return await run(server, call, name, other);
    }
  }

  async function run(
    server: GitServer,
    { doing, args, gitDirectory, timeoutMs, signal, onStart }: RemoteCall,
    name: string,
    credential: GitCredential | undefined,
  ): Promise<string> {
    if (gitDirectory !== undefined) await setBack(gitDirectory, MIRROR);
    const url = `${server.serverUrl}/${elsewhere(name)?.path ?? checkRepository(name)}.git`;
    // Without one git must not look for one in the directories above.
    const place = { GIT_DIR: gitDirectory ?? '/dev/null' };
    const env = { ...remoteEnvironment(server, credential, environment), ...place };
    const secrets = secretsOf(credential, server.wayOut?.proxy);
    const call = { doing, args: args(url), env, cwd: '/', secrets, signal, onStart };
    try {
      return (await runGit({ ...call, timeoutMs, killAfterMs, maxBytes })).stdout.toString();
    } catch (error) {
      if (credential !== undefined || errorCode(error) !== 'git-authentication') throw error;
      throw noCredentials(doing, name);
    }
  }
}

/** A server may also ask who we are before it says that it has no such repository. */
function noCredentials(doing: string, name: string): TerminalError {
  const message = `${doing} failed: the server asks for credentials, and there are none for this repository`;
  const hint =
    elsewhere(name) === undefined
      ? 'Check the spelling, and install the GitHub App there, or set GITHUB_TOKEN.'
      : 'Set the token of this server, MAINSHEET_SERVER_<NAME>_TOKEN.';
  return new TerminalError('git-authentication', message, { hint });
}

function remoteEnvironment(
  { serverUrl, wayOut }: GitServer,
  credential: GitCredential | undefined,
  environment: Inherited['environment'],
): Record<string, string> {
  const { proxy, trustedFile } = wayOut ?? {};
  const settings: Record<string, string> = {
    // git would go on sending the header to the host it was redirected to.
    'http.followRedirects': 'false',
    // Empty: none.
    'http.proxy': proxy ?? '',
    // Ends what a killed controller left behind; a server that counts objects still sends a sign of life.
    'http.lowSpeedLimit': '1',
    'http.lowSpeedTime': '120',
    'fetch.recurseSubmodules': 'false',
    'fetch.writeCommitGraph': 'false',
    // Always a pack, so that the number of packs alone says when to tidy up.
    'fetch.unpackLimit': '1',
  };
  if (credential !== undefined) {
    settings[`http.${serverUrl}/.extraHeader`] = `Authorization: Basic ${basic(credential)}`;
  }
  const inherited = { ...environment };
  if (trustedFile !== undefined) {
    settings['http.sslCAInfo'] = trustedFile;
    settings['http.proxySSLCAInfo'] = trustedFile;
    // These would win over the settings.
    delete inherited['GIT_SSL_CAINFO'];
    delete inherited['GIT_SSL_CAPATH'];
  }
  return gitEnvironment({ inherited, protocols: 'http:https', settings });
}

function secretsOf(credential: GitCredential | undefined, proxy: string | undefined): string[] {
  const own = credential === undefined ? [] : [credential.password, basic(credential)];
  const password = proxy === undefined ? '' : new URL(proxy).password;
  return password === '' ? own : [...own, password, decodeURIComponent(password)];
}

function basic({ username, password }: GitCredential): string {
  return Buffer.from(`${username}:${password}`).toString('base64');
}
