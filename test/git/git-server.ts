import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';

/** What the server does with a request instead of answering it. */
export type Fault =
  | { kind: 'status'; status: number; location?: string }
  | { kind: 'hang'; until: Promise<void> }
  /** The connection breaks in the middle of a longer answer. */
  | { kind: 'cut'; afterBytes: number };

export interface ApiAnswer {
  status: number;
  body?: object;
  headers?: Record<string, string>;
}

export interface GitServer {
  url: string;
  /** Method, path and `Authorization` of every request, in order. */
  requests: { line: string; authorization: string | undefined }[];
  /** Demands HTTP Basic authentication with this user and password. */
  requireAuth(username: string, password: string): void;
  /** Asked for each request; undefined: it is answered as it should be. */
  fault: ((line: string) => Fault | undefined) | undefined;
  /** Answers what is not git's; undefined: it is. */
  api: ((request: IncomingMessage) => Promise<ApiAnswer | undefined>) | undefined;
  close(): Promise<void>;
}

/** Serves the bare repositories below `root` with `git http-backend`, on a free port of 127.0.0.1. */
export async function startGitServer(root: string): Promise<GitServer> {
  let expected: string | undefined;
  const server = createServer((request, response) => {
    void answer(request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : undefined;

  const gitServer: GitServer = {
    url: `http://127.0.0.1:${port}`,
    requests: [],
    requireAuth(username, password) {
      expected = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
    },
    fault: undefined,
    api: undefined,
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
  return gitServer;

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const line = `${request.method} ${request.url}`;
    const { authorization } = request.headers;
    gitServer.requests.push({ line, authorization });
    const told = await gitServer.api?.(request);
    if (told !== undefined) {
      response.writeHead(told.status, told.headers).end(JSON.stringify(told.body ?? {}));
      return;
    }
    const fault = gitServer.fault?.(line);
    if (fault?.kind === 'hang') await fault.until;
    if (fault?.kind === 'status') {
      const headers = fault.location === undefined ? {} : { location: fault.location };
      response.writeHead(fault.status, headers).end();
    } else if (expected !== undefined && authorization !== expected) {
      response.writeHead(401, { 'www-authenticate': 'Basic realm="git"' }).end();
    } else {
      runBackend(root, request, response, fault?.kind === 'cut' ? fault.afterBytes : Infinity);
    }
  }
}

/** One CGI request: https://git-scm.com/docs/git-http-backend */
function runBackend(
  root: string,
  request: IncomingMessage,
  response: ServerResponse,
  mostBytes: number,
): void {
  const url = new URL(request.url ?? '/', 'http://localhost');
  const protocol = String(request.headers['git-protocol'] ?? '');
  const backend = spawn('git', ['http-backend'], {
    stdio: ['pipe', 'pipe', 'ignore'],
    env: {
      PATH: process.env['PATH'],
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_CONFIG_GLOBAL: '/dev/null',
      GIT_PROJECT_ROOT: root,
      GIT_HTTP_EXPORT_ALL: '1',
      PATH_INFO: decodeURIComponent(url.pathname),
      QUERY_STRING: url.search.slice(1),
      REQUEST_METHOD: request.method,
      CONTENT_TYPE: request.headers['content-type'] ?? '',
      HTTP_CONTENT_ENCODING: request.headers['content-encoding'] ?? '',
      GIT_PROTOCOL: protocol,
      HTTP_GIT_PROTOCOL: protocol,
      REMOTE_ADDR: '127.0.0.1',
    },
  });
  backend.stdin.on('error', () => {});
  request.pipe(backend.stdin);
  response.on('close', () => backend.kill());

  let written = 0;
  function write(chunk: Buffer): void {
    written += chunk.length;
    if (written <= mostBytes) response.write(chunk);
    else response.write(chunk.subarray(0, mostBytes - written), () => response.destroy());
  }

  let head = Buffer.alloc(0);
  backend.stdout.on('data', (chunk: Buffer) => {
    if (response.headersSent) {
      write(chunk);
      return;
    }
    head = Buffer.concat([head, chunk]);
    const end = head.indexOf('\r\n\r\n');
    if (end === -1) return;
    let status = 200;
    for (const line of head.subarray(0, end).toString().split('\r\n')) {
      const [name = '', value = ''] = line.split(/: (.*)/s);
      if (name === 'Status') status = Number.parseInt(value, 10);
      else response.setHeader(name, value);
    }
    response.writeHead(status);
    write(head.subarray(end + 4));
  });
  backend.on('close', () => response.end());
}
