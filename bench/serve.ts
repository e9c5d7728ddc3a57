import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { until } from '../test/support/until.ts';
import { PATH, SECRET, type Receiver } from './load.ts';

/** `mainsheet serve` as people run it: on a file, with a hundred specs and a GitHub that takes what it is told. */
export interface Serve extends Receiver {
  settle: () => Promise<number>;
  /** Resident memory of the process, in megabytes. */
  memory: () => number;
  /** CPU time that the process has used, in milliseconds. */
  cpu: () => number;
  remove: () => Promise<void>;
}

const ASK_AGAIN_MS = 100;
/** Of `/proc/PID/stat` on Linux. */
const TICK_MS = 10;

export const TOKEN = 'bench-admin-token-of-32-characters';

export async function startServe(
  name: string,
  label: string,
  options: {
    prepare?: (database: string) => void;
    env?: Record<string, string>;
    specs?: string;
    /** What the stand-in for GitHub answers to a path; undefined: that something was made. */
    github?: (path: string) => unknown;
  } = {},
): Promise<Serve> {
  const root = mkdtempSync(join(tmpdir(), 'bench-'));
  const specs = join(root, 'specs');
  mkdirSync(specs);
  writeFileSync(join(specs, 'bench.yaml'), [...specTexts(), options.specs ?? ''].join('---\n'));
  const github = await answering(options.github);
  const environment = {
    PATH: process.env['PATH'],
    HOME: root,
    PORT: '0',
    MAINSHEET_DATA_DIR: join(root, 'data'),
    MAINSHEET_DEPLOYMENTS: specs,
    MAINSHEET_ADMIN_TOKEN: TOKEN,
    GITHUB_WEBHOOK_SECRET: SECRET,
    GITHUB_API_URL: addressOf(github),
    GITHUB_SERVER_URL: addressOf(github),
    GITHUB_TOKEN: 'bench-token',
    // The pushes are made up: there is no repository to look at.
    MAINSHEET_RECONCILE_INTERVAL: '0',
    LOG_FORMAT: 'json',
    ...options.env,
  };
  const log = join(root, 'log');
  let { child, url } = await start(environment, log);
  if (options.prepare !== undefined) {
    await stop(child);
    options.prepare(join(root, 'data', 'mainsheet.db'));
    ({ child, url } = await start(environment, log));
  }
  const pid = child.pid ?? 0;
  return {
    name,
    label,
    child,
    keeps: true,
    url: `${url}${PATH}`,
    async settle() {
      const since = performance.now();
      // Seldom: what it asks for is work, too.
      while (!(await isIdle(url))) await delay(ASK_AGAIN_MS);
      return performance.now() - since;
    },
    memory() {
      const status = readFileSync(`/proc/${pid}/status`, 'utf8');
      return Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024);
    },
    cpu() {
      const [, fields = ''] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ');
      const [user = 0, system = 0] = fields.split(' ').slice(11, 13).map(Number);
      return (user + system) * TICK_MS;
    },
    async remove() {
      await stop(child);
      github.closeAllConnections();
      github.close();
      rmSync(root, { recursive: true, force: true });
    },
  };
}

async function start(
  environment: NodeJS.ProcessEnv,
  log: string,
): Promise<{ child: ChildProcess; url: string }> {
  const main = fileURLToPath(new URL('../src/main.ts', import.meta.url));
  const output = openSync(log, 'w');
  // `--cpu-prof` or `--trace-gc`, for one who wants to know where the time goes.
  const options = (process.env['BENCH_NODE_OPTIONS'] ?? '').split(' ').filter((one) => one !== '');
  const child = spawn(process.execPath, [...options, main, 'serve'], {
    env: environment,
    stdio: ['ignore', output, 'inherit'],
  });
  const line = await until('the controller listens', () =>
    readFileSync(log, 'utf8')
      .split('\n')
      .find((text) => text.includes('"listening"')),
  );
  return { child, url: (JSON.parse(line) as { url: string }).url };
}

async function stop(child: ChildProcess): Promise<void> {
  const ended = new Promise((resolve) => child.once('exit', resolve));
  if (child.exitCode === null) {
    child.kill('SIGTERM');
    await ended;
  }
}

async function isIdle(url: string): Promise<boolean> {
  const response = await fetch(`${url}/metrics`, { headers: { Authorization: `Bearer ${TOKEN}` } });
  return /^mainsheet_deliveries_pending 0$/m.test(await response.text());
}

/** Five specs of the repository that is pushed to, and 95 of others, each of one. */
function specTexts(): string[] {
  return Array.from({ length: 100 }, (_, index) => {
    const repository = index < 5 ? 'acme/storefront' : `acme/r${index}`;
    return (
      `name: spec-${index}\nrepository: ${repository}\n` +
      `on: { push: { branches: [release-${index}] } }\nsteps: [{ run: "true" }]\n`
    );
  });
}

/** A GitHub that says yes. */
async function answering(answerTo?: (path: string) => unknown): Promise<Server> {
  const server = createServer((request, response) => {
    request.resume();
    const answer = answerTo?.(request.url ?? '');
    response
      .writeHead(answer === undefined ? 201 : 200, { 'Content-Type': 'application/json' })
      .end(JSON.stringify(answer ?? { id: 1 }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

function addressOf(server: Server): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
