import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/**
 * Sends signed pushes as fast as they are answered, in a process of its own. Requests are built before the clock starts and
 * written to raw sockets as they are: an HTTP client would need as much of the machine as what it measures.
 */

export interface Load {
  url: string;
  secret: string;
  connections: number;
  seconds: number;
  /** So many are built. */
  requests: number;
  /** Sends them again and again; else the load ends when they are sent: a receiver that counts a delivery once gets none twice. */
  repeat: boolean;
  /** Sets this load's deliveries apart from those of any other. */
  serial: number;
  /** Requests a second of all connections together; undefined: as fast as they are answered. */
  pace?: number | undefined;
  /** Whole lines that each request has besides. */
  headers?: string | undefined;
  /** Paths that requests take in turn, instead of the URL's. */
  paths?: readonly string[] | undefined;
  /** Each tenth request is a push of this branch instead, from one of these commits to the next. */
  pushed?: { branch: string; commits: readonly string[] } | undefined;
}

export interface LoadResult {
  /** Answered requests a second. */
  rate: number;
  answered: number;
  /** Requests without a 2xx. */
  failed: number;
  /** Milliseconds. */
  p50: number;
  p99: number;
}

const BODY_BYTES = 8 * 1024;
export const REPOSITORY = 'acme/storefront';
/** One in so many is a push of `pushed`. */
export const PUSHED_EACH = 10;

process.on('message', (load: Load) => {
  void run(load).then((result) => process.send?.(result));
});

async function run(load: Load): Promise<LoadResult> {
  const requests = build(load);
  const sockets = await Promise.all(Array.from({ length: load.connections }, () => open(load.url)));
  const latencies: number[] = [];
  const hasNext = () => load.repeat || next < load.requests;
  let next = 0;
  let answered = 0;
  let failed = 0;
  const start = performance.now();
  const until = start + load.seconds * 1000;

  /** Sends one request after the other; over another connection when the receiver says that it closes this one. */
  function work(first: Socket): Promise<void> {
    return new Promise((resolve, reject) => {
      let socket = first;
      let sent = 0;
      let received = '';
      watch();

      function watch(): void {
        socket.on('error', reject).on('data', take);
        socket.on('close', () => reject(new Error('the receiver closed a connection')));
        write();
      }

      function write(): void {
        const wait =
          load.pace === undefined ? 0 : start + (next / load.pace) * 1000 - performance.now();
        if (wait > 1) return void setTimeout(write, wait);
        sent = performance.now();
        socket.write(requests[next++ % load.requests] ?? '');
      }

      function take(chunk: Buffer): void {
        received += chunk.toString('latin1');
        if (!isWhole(received)) return;
        const now = performance.now();
        latencies.push(now - sent);
        answered += 1;
        if (received.charCodeAt(9) !== 50) failed += 1;
        const isLast = received.includes('\r\nConnection: close');
        received = '';
        const isOver = now >= until || !hasNext();
        if (isLast || isOver) socket.removeAllListeners('close').destroy();
        if (isOver) resolve();
        else if (isLast) again();
        else write();
      }

      function again(): void {
        open(load.url).then((opened) => {
          socket = opened;
          watch();
        }, reject);
      }
    });
  }
  await Promise.all(sockets.map(work));
  const seconds = (performance.now() - start) / 1000;
  const sorted = Float64Array.from(latencies).sort();
  const at = (share: number) => sorted[Math.min(answered - 1, Math.floor(answered * share))] ?? 0;
  return { rate: answered / seconds, answered, failed, p50: at(0.5), p99: at(0.99) };
}

/** An answer has ended when its body is as long as its head says. */
function isWhole(text: string): boolean {
  const head = text.indexOf('\r\n\r\n');
  if (head === -1) return false;
  const length = /content-length: (\d+)/i.exec(text);
  if (length !== null) return text.length >= head + 4 + Number(length[1]);
  return /transfer-encoding: chunked/i.test(text) ? text.endsWith('\r\n0\r\n\r\n') : true;
}

async function open(url: string): Promise<Socket> {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port), noDelay: true });
  await once(socket, 'connect');
  return socket;
}

/** Each push goes on from the one before it. */
function build(load: Load): Buffer[] {
  const { url, secret, requests, serial, headers = '', paths } = load;
  const { host, pathname } = new URL(url);
  return Array.from({ length: requests }, (_, index) => {
    const id = serial + index;
    const body = Buffer.from(realPush(load, index) ?? pushOf('feature', shaOf(id - 1), shaOf(id)));
    const signature = createHmac('sha256', secret).update(body).digest('hex');
    const head =
      `POST ${paths?.[index % paths.length] ?? pathname} HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/json\r\n` +
      `X-GitHub-Event: push\r\nX-GitHub-Delivery: bench-${id}\r\n` +
      headers +
      `X-Hub-Signature-256: sha256=${signature}\r\nContent-Length: ${body.length}\r\n\r\n`;
    return Buffer.concat([Buffer.from(head), body]);
  });
}

function realPush({ pushed }: Load, index: number): string | undefined {
  if (pushed === undefined || index % PUSHED_EACH !== 0) return undefined;
  const at = index / PUSHED_EACH;
  const [before, after] = pushed.commits.slice(at, at + 2);
  if (before === undefined || after === undefined) throw new Error('too few commits to push');
  return pushOf(pushed.branch, before, after);
}

const shaOf = (id: number) => id.toString(16).padStart(40, '1');

function pushOf(branch: string, before: string, after: string): string {
  const commit = {
    id: after,
    message: 'A change',
    timestamp: '2026-11-01T12:00:00Z',
    author: { name: 'Ada', email: 'ada@example.com' },
    added: [],
    removed: [],
    modified: ['src/index.ts'],
  };
  const [owner, name] = REPOSITORY.split('/');
  const push = {
    ref: `refs/heads/${branch}`,
    before,
    after,
    created: false,
    deleted: false,
    forced: false,
    repository: { id: 1, name, full_name: REPOSITORY, owner: { login: owner } },
    pusher: { name: 'ada', email: 'ada@example.com' },
    sender: { login: 'ada', id: 1, type: 'User' },
    head_commit: commit,
    commits: [commit],
    // Stands for the links and the people that a real push repeats in each commit.
    filler: '',
  };
  const size = JSON.stringify(push).length;
  return JSON.stringify({ ...push, filler: 'x'.repeat(BODY_BYTES - size) });
}
