import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { appendFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { git, NEUTRAL_GIT } from '../git.ts';

/** Where a ref pointed before and after a push; undefined where it did not exist. */
export interface RefUpdate {
  ref: string;
  before: string | undefined;
  after: string | undefined;
}

/** One accepted push: all the refs it moved, and every ref as it was before and after. */
export interface Push {
  repository: string;
  directory: string;
  updates: RefUpdate[];
  refsBefore: ReadonlyMap<string, string>;
  refsAfter: ReadonlyMap<string, string>;
}

export interface GitServer {
  /** Whether a path is one of git's: `/owner/name.git/…`. */
  serves: (pathname: string) => boolean;
  handle: (request: IncomingMessage, response: ServerResponse) => Promise<void>;
  /** The repository as it was named at the start, whatever the case it is asked for in. */
  find: (repository: string) => { repository: string; directory: string } | undefined;
  /** The commit that a branch, tag or SHA of a repository means; undefined when there is none. */
  resolveCommit: (repository: string, revision: string) => Promise<string | undefined>;
  /** Ends git's processes and resolves when none is at work. */
  close: () => Promise<void>;
}

const GIT_PATH = /^\/([^/]+\/[^/]+)\.git(\/(?:info\/refs|git-upload-pack|git-receive-pack))$/;

/**
 * Bare repositories below `root`, served by git's own CGI program (https://git-scm.com/docs/git-http-backend). A push
 * is noticed by comparing the refs before and after it; pushes to one repository wait for each other.
 * `refuses` returns the status to refuse a request with: 401 asks the client for a password.
 */
export async function createGitServer(options: {
  root: string;
  repositories: readonly string[];
  refuses: (request: IncomingMessage) => 401 | 403 | undefined;
  onPush: (push: Push) => void;
}): Promise<GitServer> {
  const { root, repositories, refuses, onPush } = options;
  const byName = new Map(repositories.map((name) => [name.toLowerCase(), name]));
  const children = new Set<ChildProcessWithoutNullStreams>();
  const lastPush = new Map<string, Promise<void>>();
  /** `repository SHA` of those known to be there: nothing removes a commit. */
  const commits = new Set<string>();
  await Promise.all(repositories.map((name) => createBareRepository(join(root, `${name}.git`))));

  const find: GitServer['find'] = (asked) => {
    const repository = byName.get(asked.toLowerCase());
    return repository === undefined
      ? undefined
      : { repository, directory: join(root, `${repository}.git`) };
  };

  async function serve(
    request: IncomingMessage,
    response: ServerResponse,
    service: { pathInfo: string; query: string },
  ): Promise<void> {
    const child = spawn('git', ['http-backend'], { env: cgiEnvironment(root, request, service) });
    children.add(child);
    child.once('error', () => response.destroy());
    request.on('close', () => {
      if (!request.complete) child.kill();
    });
    try {
      await Promise.all([pipeline(request, child.stdin).catch(ignore), answer(child, response)]);
    } finally {
      children.delete(child);
    }
  }

  async function receivePush(
    found: { repository: string; directory: string },
    receive: () => Promise<void>,
  ): Promise<void> {
    const refsBefore = await readRefs(found.directory);
    await receive();
    const refsAfter = await readRefs(found.directory);
    const updates = compareRefs(refsBefore, refsAfter);
    if (updates.length > 0) onPush({ ...found, updates, refsBefore, refsAfter });
  }

  return {
    serves: (pathname) => /^\/[^/]+\/[^/]+\.git\//.test(pathname),
    find,
    async handle(request, response) {
      const url = new URL(request.url ?? '/', 'http://forge.invalid');
      const [, name = '', action = ''] = GIT_PATH.exec(url.pathname) ?? [];
      const found = find(decodeURIComponent(name));
      const refused = refuses(request);
      if (refused !== undefined) {
        response.writeHead(refused, { 'www-authenticate': 'Basic realm="GitHub"' });
        response.end(refused === 401 ? 'Authentication required.\n' : 'Forbidden.\n');
        return;
      }
      if (found === undefined) {
        response.writeHead(404).end('Repository not found.\n');
        return;
      }
      const service = {
        pathInfo: `/${found.repository}.git${action}`,
        query: url.search.slice(1),
      };
      const act = () => serve(request, response, service);
      if (action !== '/git-receive-pack') return act();

      const turn = (lastPush.get(found.repository) ?? Promise.resolve())
        .catch(ignore)
        .then(() => receivePush(found, act));
      lastPush.set(found.repository, turn);
      await turn;
    },
    async resolveCommit(repository, revision) {
      const found = find(repository);
      if (found === undefined) return undefined;
      const commit = `${found.repository} ${revision}`;
      if (commits.has(commit)) return revision;
      const sha = await git({
        directory: found.directory,
        args: ['rev-parse', '--verify', '--quiet', '--end-of-options', `${revision}^{commit}`],
      }).catch(() => undefined);
      if (sha === revision) commits.add(commit);
      return sha;
    },
    async close() {
      for (const child of children) child.kill('SIGKILL');
      await Promise.allSettled(lastPush.values());
    },
  };
}

async function createBareRepository(directory: string): Promise<void> {
  await git({
    directory: '/',
    args: ['init', '--quiet', '--bare', '--initial-branch=main', '--', directory],
  });
  const settings = {
    'http.receivepack': 'true',
    // GitHub hands out any commit it has, also one no branch holds any more.
    'uploadpack.allowAnySHA1InWant': 'true',
    'uploadpack.allowFilter': 'true',
    // A background clean-up would outlive the push and the directory.
    'receive.autogc': 'false',
    'gc.auto': '0',
  };
  const lines = Object.entries(settings).map(([key, value]) => {
    const [section = '', name = ''] = key.split('.');
    return `[${section}]\n\t${name} = ${value}\n`;
  });
  await appendFile(join(directory, 'config'), lines.join(''));
}

/** https://datatracker.ietf.org/doc/html/rfc3875#section-4.1 */
function cgiEnvironment(
  root: string,
  request: IncomingMessage,
  service: { pathInfo: string; query: string },
): Record<string, string> {
  const { headers } = request;
  const optional = {
    CONTENT_LENGTH: headers['content-length'],
    HTTP_CONTENT_ENCODING: headers['content-encoding'],
    GIT_PROTOCOL: headers['git-protocol']?.toString(),
  };
  const env: Record<string, string> = {
    ...NEUTRAL_GIT,
    GIT_PROJECT_ROOT: root,
    GIT_HTTP_EXPORT_ALL: '1',
    REMOTE_ADDR: '127.0.0.1',
    REMOTE_USER: 'demo',
    REQUEST_METHOD: request.method ?? 'GET',
    PATH_INFO: service.pathInfo,
    QUERY_STRING: service.query,
    CONTENT_TYPE: headers['content-type'] ?? '',
  };
  for (const [name, value] of Object.entries(optional)) {
    if (value !== undefined) env[name] = value;
  }
  return env;
}

/** Passes a CGI program's answer on: its header lines first, then its body as it comes. */
async function answer(
  child: ChildProcessWithoutNullStreams,
  response: ServerResponse,
): Promise<void> {
  child.stderr.resume();
  await pipeline(
    child.stdout,
    async function* body(output: AsyncIterable<Buffer>) {
      let head: Buffer | undefined = Buffer.alloc(0);
      for await (const chunk of output) {
        if (head === undefined) {
          yield chunk;
          continue;
        }
        head = Buffer.concat([head, chunk]);
        const end = head.indexOf('\r\n\r\n');
        if (end === -1) continue;
        writeHead(response, head.subarray(0, end).toString('latin1'));
        yield head.subarray(end + 4);
        head = undefined;
      }
      if (head !== undefined) response.writeHead(500);
    },
    response,
  );
}

function writeHead(response: ServerResponse, head: string): void {
  let status = 200;
  for (const line of head.split('\r\n')) {
    const colon = line.indexOf(':');
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    if (name === 'status') status = Number.parseInt(value, 10);
    else response.setHeader(name, value);
  }
  response.writeHead(status);
}

async function readRefs(directory: string): Promise<Map<string, string>> {
  const lines = await git({
    directory,
    args: ['for-each-ref', '--format=%(objectname) %(refname)'],
  });
  return new Map(
    lines
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => [line.slice(41), line.slice(0, 40)] as const),
  );
}

function compareRefs(
  before: ReadonlyMap<string, string>,
  after: ReadonlyMap<string, string>,
): RefUpdate[] {
  return [...new Set([...before.keys(), ...after.keys()])]
    .map((ref) => ({ ref, before: before.get(ref), after: after.get(ref) }))
    .filter((update) => update.before !== update.after);
}

/** A client that hangs up is not the server's failure. */
function ignore(): void {}
