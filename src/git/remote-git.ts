import { TerminalError } from '../lib/errors.ts';
import { removeForeign } from './foreign-entries.ts';
import { gitEnvironment } from './git-environment.ts';
import { runGit } from './git-process.ts';
import { checkRepository } from '../lib/names.ts';

/** What git tells the server: HTTP Basic authentication. */
export interface GitCredential {
  username: string;
  password: string;
}

/** A git call that talks to the server about one repository. */
export interface RemoteCall {
  /** What it is for, as the start of an error message: `fetching acme/shop`. */
  doing: string;
  repository: string;
  /** The arguments, given the repository's URL. */
  args: (url: string) => string[];
  /** Undefined for a call that needs no repository of ours. */
  gitDirectory?: string;
  timeoutMs: number;
  signal?: AbortSignal | undefined;
  /** Called right before git starts: from here on it may miss what happens on the server. */
  onStart?: () => void;
}

/** How git gets out to a server. */
export interface GitWayOut {
  /** A proxy's URL; undefined for none. */
  proxy: string | undefined;
  /** A file with all certificates that are trusted; undefined for those that git trusts by itself. */
  trustedFile: string | undefined;
}

/** What repositories are called now, when they were renamed. */
export interface RemoteNames {
  of(repository: string): Promise<string>;
  /** The server has sent git elsewhere: asks it for the name. Throws when it does not say. */
  ask(repository: string): Promise<string>;
}

/** Runs git, and returns what it wrote to stdout. Throws RetryableError or TerminalError as `runGit` says. */
export type RemoteGit = (call: RemoteCall) => Promise<string>;

/**
 * git against `serverUrl`, over HTTP and nothing else. The credential goes into git's environment as a header for this
 * server only, and redirects are not followed, so that no other host sees it.
 *
 * A token may be revoked before it expires: when the server refuses one and there is another by then, git is run once more. So it
 * is when the repository has another name by now.
 */
export function createRemoteGit(deps: {
  serverUrl: string;
  credentials: (repository: string) => Promise<GitCredential | undefined>;
  /** Told that the server refused what `credentials` gave, which may have something newer. */
  refused?: ((repository: string) => void) | undefined;
  names?: RemoteNames | undefined;
  environment?: Readonly<Record<string, string | undefined>> | undefined;
  /** Default: straight. */
  wayOut?: GitWayOut | undefined;
  maxBytes: number;
  killAfterMs: number;
}): RemoteGit {
  const server = checkServerUrl(deps.serverUrl);
  const { proxy, trustedFile } = deps.wayOut ?? { proxy: undefined, trustedFile: undefined };

  return async (call) => {
    checkRepository(call.repository);
    const name = (await deps.names?.of(call.repository)) ?? call.repository;
    try {
      return await withCredential(call, name);
    } catch (error) {
      if (!hasCode(error, 'repository-moved') || deps.names === undefined) throw error;
      const other = await deps.names.ask(name).catch(() => name);
      if (other.toLowerCase() === name.toLowerCase()) throw error;
      return await withCredential(call, other);
    }
  };

  async function withCredential(call: RemoteCall, name: string): Promise<string> {
    const url = `${server}/${checkRepository(name)}.git`;
    const credential = await deps.credentials(name);
    try {
      return await run(call, url, credential);
    } catch (error) {
      if (credential === undefined || !hasCode(error, 'git-authentication')) throw error;
      deps.refused?.(name);
      const other = await deps.credentials(name);
      if (other === undefined || other.password === credential.password) throw error;
      return await run(call, url, other);
    }
  }

  async function run(
    call: RemoteCall,
    url: string,
    credential: GitCredential | undefined,
  ): Promise<string> {
    const args = call.args(url);
    if (call.gitDirectory !== undefined) await removeForeign(call.gitDirectory, 'mirror');
    const { stdout } = await runGit({
      doing: call.doing,
      args,
      env: {
        ...remoteEnvironment(server, credential, deps.environment, { proxy, trustedFile }),
        // A git directory that is none: git must not look for one in the directories above.
        GIT_DIR: call.gitDirectory ?? '/dev/null',
      },
      cwd: '/',
      timeoutMs: call.timeoutMs,
      signal: call.signal,
      killAfterMs: deps.killAfterMs,
      maxBytes: deps.maxBytes,
      secrets: [...secretsOf(credential), ...passwordOf(proxy)],
      onStart: call.onStart,
    });
    return stdout.toString();
  }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof TerminalError && error.code === code;
}

/** The URL without a slash at its end. Throws TerminalError `invalid-server-url` for any that is not plain HTTP(S). */
function checkServerUrl(value: string): string {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  const plain =
    url !== undefined &&
    (url.protocol === 'https:' || url.protocol === 'http:') &&
    `${url.username}${url.password}${url.search}${url.hash}` === '';
  if (plain) return url.href.replace(/\/+$/, '');
  throw new TerminalError('invalid-server-url', 'the git server has to be an http(s) URL', {
    hint: 'Set GITHUB_SERVER_URL to something like https://github.com, without a user or a query.',
  });
}

function remoteEnvironment(
  server: string,
  credential: GitCredential | undefined,
  inherited: Readonly<Record<string, string | undefined>> | undefined,
  { proxy, trustedFile }: GitWayOut,
): Record<string, string> {
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
  if (trustedFile === undefined) {
    return gitEnvironment({ inherited, protocols: 'http:https', settings });
  }
  settings['http.sslCAInfo'] = trustedFile;
  settings['http.proxySSLCAInfo'] = trustedFile;
  // These would win over the settings.
  const { GIT_SSL_CAINFO: _file, GIT_SSL_CAPATH: _directory, ...rest } = inherited ?? {};
  return gitEnvironment({ inherited: rest, protocols: 'http:https', settings });
}

function secretsOf(credential: GitCredential | undefined): string[] {
  return credential === undefined ? [] : [credential.password, basic(credential)];
}

function passwordOf(proxy: string | undefined): string[] {
  const password = proxy === undefined ? '' : new URL(proxy).password;
  return password === '' ? [] : [password, decodeURIComponent(password)];
}

function basic({ username, password }: GitCredential): string {
  return Buffer.from(`${username}:${password}`).toString('base64');
}
