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
  /** `https://github.com`. */
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
 * git against a server, over HTTP and nothing else. The credential goes into git's environment as a header for this server only,
 * and redirects are not followed, so that no other host sees it. When the server refuses a credential and there is another by
 * then, git is run once more; so it is when the repository has another name by now. Throws TerminalError `invalid-server-url`.
 */
export function createRemoteGit(
  deps: GitServer & Pick<GitRun, 'maxBytes' | 'killAfterMs'> & Inherited,
): RemoteGit {
  const { credentials, names, maxBytes, killAfterMs } = deps;
  const server = checkServerUrl(deps.serverUrl);

  return async (call) => {
    checkRepository(call.repository);
    const name = (await names?.of(call.repository)) ?? call.repository;
    try {
      return await withCredential(call, name);
    } catch (error) {
      if (errorCode(error) !== 'repository-moved' || names === undefined) throw error;
      const other = await names.ask(name).catch(() => name);
      if (other.toLowerCase() === name.toLowerCase()) throw error;
      return await withCredential(call, other);
    }
  };

  async function withCredential(call: RemoteCall, name: string): Promise<string> {
    const url = `${server}/${elsewhere(name)?.path ?? checkRepository(name)}.git`;
    const credential = await credentials(name);
    try {
      return await run(call, url, credential);
    } catch (error) {
      if (credential === undefined || errorCode(error) !== 'git-authentication') throw error;
      deps.refused?.(name);
      const other = await credentials(name);
      if (other === undefined || other.password === credential.password) throw error;
      return await run(call, url, other);
    }
  }

  async function run(
    { doing, args, gitDirectory, timeoutMs, signal, onStart }: RemoteCall,
    url: string,
    credential: GitCredential | undefined,
  ): Promise<string> {
    if (gitDirectory !== undefined) await setBack(gitDirectory, MIRROR);
    // Without one git must not look for one in the directories above.
    const place = { GIT_DIR: gitDirectory ?? '/dev/null' };
    const env = { ...remoteEnvironment(server, credential, deps), ...place };
    const secrets = secretsOf(credential, deps.wayOut?.proxy);
    const call = { doing, args: args(url), env, cwd: '/', secrets, signal, onStart };
    return (await runGit({ ...call, timeoutMs, killAfterMs, maxBytes })).stdout.toString();
  }
}

/**
 * git against several servers: a call goes to the one that its repository names, and never to another. Throws TerminalError
 * `server-unknown`.
 */
export function createServersGit(
  github: RemoteGit,
  others: ReadonlyMap<string, RemoteGit>,
): RemoteGit {
  return async (call) => {
    const place = elsewhere(checkRepository(call.repository));
    if (place === undefined) return await github(call);
    const other = others.get(place.server);
    if (other !== undefined) return await other(call);
    throw new TerminalError('server-unknown', `there is no server called ${place.server}`, {
      hint: 'name it in MAINSHEET_SERVERS, with its type and URL',
    });
  };
}

/** The URL without a slash at its end, when it is plain HTTP(S). */
function checkServerUrl(value: string): string {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  const plain =
    (url?.protocol === 'https:' || url?.protocol === 'http:') &&
    `${url.username}${url.password}${url.search}${url.hash}` === '';
  if (plain) return url.href.replace(/\/+$/, '');
  throw new TerminalError('invalid-server-url', 'the git server has to be an http(s) URL', {
    hint: 'Set GITHUB_SERVER_URL to something like https://github.com, without a user or a query.',
  });
}

function remoteEnvironment(
  server: string,
  credential: GitCredential | undefined,
  deps: Parameters<typeof createRemoteGit>[0],
): Record<string, string> {
  const { proxy, trustedFile } = deps.wayOut ?? {};
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
    settings[`http.${server}/.extraHeader`] = `Authorization: Basic ${basic(credential)}`;
  }
  const inherited = { ...deps.environment };
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
