import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { handOver } from '../../src/lib/hand-over.ts';
import { ADMIN_TOKEN, asAdmin } from './admin.ts';
import { until } from './until.ts';

/** Names the variable that says what is started in place of the checkout's program: `whole-run.ts`. */
export const PROGRAM = 'MAINSHEET_TEST_PROGRAM';
const BINARY = fileURLToPath(new URL('../../bin/mainsheet.js', import.meta.url));

/** A process that was stopped for a while may write to a kept connection just when it is closed as idle. */
const ONCE = { connection: 'close' };

/** A controller in a process of its own, as people run it. */
export interface Controller {
  url: string;
  webhookUrl: string;
  secret: string;
  /** Of the API: as the environment sets it, else the one that it made. */
  token: string;
  /**
   * What has been read of its log so far, parsed. What it is known to have done by another way (an answer, a commit status) may
   * be logged a moment later: wait with `logged`. Of a process that has ended everything is there.
   */
  log: readonly Record<string, unknown>[];
  /** Waits for an entry with these fields among those from number `from` on (default: all of them). */
  logged(
    fields: Record<string, unknown>,
    from?: number,
    timeoutMs?: number,
  ): Promise<Record<string, unknown>>;
  dataDir: string;
  specsDir: string;
  /** GET from the API; throws on anything but 2xx. */
  get<T>(path: string): Promise<T>;
  post(path: string): Promise<Response>;
  /** SIGTERM, and resolves with the exit code. */
  stop(): Promise<number | null>;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** Starts it again on the same data; `more` is added to its environment for this time. */
  restart(more?: Record<string, string>): Promise<void>;
  /**
   * Starts it again and waits until it has killed itself at the failpoint (`name` or `name:pass`). `listening` is done as soon as it
   * listens, which it may not live to do when what it finds on the disk brings it there.
   */
  dieAt(failpoint: string, listening?: () => Promise<unknown>): Promise<void>;
  /** Of the process that is, or was. */
  pid: number;
  /** Resolves when that process has ended. */
  exited(): Promise<void>;
  /** Stops it if need be and removes its files. */
  remove(): Promise<void>;
}

/** Starts a controller on SQLite (or on what `env` names as DATABASE_URL) with the given specs (file name → YAML), listening on a free port. */
export async function startController(options: {
  forge: { url: string; token: string };
  specs: Record<string, string>;
  env?: Record<string, string>;
  /** Whom it runs as; only root can choose. */
  uid?: number;
  /** How many files and connections the process may have open; default as many as the test. */
  openFiles?: number;
  /** Where its data is, seen only by those who `enter`; default a directory of its own. */
  disk?: { directory: string; enter: readonly string[] };
}): Promise<Controller> {
  const root = await mkdtemp(join(tmpdir(), 'mainsheet-e2e-'));
  const dataDir = options.disk?.directory ?? join(root, 'data');
  const specsDir = join(root, 'specs');
  await mkdir(specsDir);
  for (const [name, text] of Object.entries(options.specs)) {
    await mkdir(dirname(join(specsDir, name)), { recursive: true });
    await writeFile(join(specsDir, name), text);
  }
  const account = options.uid === undefined ? {} : { uid: options.uid, gid: options.uid };
  if (options.uid !== undefined) await handOver(root, { uid: options.uid, gid: options.uid });
  const secret = 'e2e-webhook-secret';
  const env = {
    PATH: process.env['PATH'] ?? '',
    HOME: root,
    PORT: '0',
    MAINSHEET_ADMIN_TOKEN: ADMIN_TOKEN,
    MAINSHEET_DATA_DIR: dataDir,
    MAINSHEET_DEPLOYMENTS: specsDir,
    MAINSHEET_PUBLIC_URL: 'https://mainsheet.example',
    GITHUB_WEBHOOK_SECRET: secret,
    GITHUB_API_URL: options.forge.url,
    GITHUB_SERVER_URL: options.forge.url,
    GITHUB_TOKEN: options.forge.token,
    // The forge needs no sparing; tests of the budget set their own.
    MAINSHEET_GITHUB_WRITES_PER_MINUTE: '100000',
    MAINSHEET_GITHUB_WRITES_PER_HOUR: '1000000',
    LOG_FORMAT: 'json',
    // What a test does not let arrive is not to be found by looking either.
    MAINSHEET_RECONCILE_INTERVAL: '0',
    ...options.env,
  };
  const log: Record<string, unknown>[] = [];
  let child: ChildProcess;
  let allRead: Promise<unknown>;
  let url = '';
  let token = '';

  async function start(more: Record<string, string> = {}): Promise<void> {
    const bundled = process.env[PROGRAM];
    const program = bundled ?? BINARY;
    // Beside the program, with which it goes.
    const cache = bundled === undefined ? {} : { NODE_COMPILE_CACHE: `${dirname(bundled)}/cache` };
    const command = [...(options.disk?.enter ?? []), process.execPath, program, 'serve'];
    const [file = '', ...args] =
      options.openFiles === undefined
        ? command
        : ['/bin/sh', '-c', 'ulimit -n "$0" && exec "$@"', String(options.openFiles), ...command];
    child = spawn(file, args, {
      env: { ...cache, ...env, ...more },
      stdio: ['ignore', 'pipe', 'pipe'],
      ...account,
    });
    let stderr = '';
    child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
    allRead = once(lines, 'close');
    url = await new Promise<string>((resolve, reject) => {
      child.once('close', (code) =>
        reject(new Error(`exited with ${code}: ${stderr}${JSON.stringify(log.slice(-3))}`)),
      );
      lines.on('line', (line) => {
        const entry = JSON.parse(line) as Record<string, unknown>;
        log.push(entry);
        if (entry['msg'] === 'listening') resolve(String(entry['url']));
      });
    });
    const made = join(env.MAINSHEET_DATA_DIR, 'admin-token');
    token = env.MAINSHEET_ADMIN_TOKEN || (await readFile(made, 'utf8')).trim();
  }

  async function end(signal: NodeJS.Signals): Promise<number | null> {
    if (!hasExited()) {
      const exited = once(child, 'exit');
      child.kill(signal);
      await exited;
    }
    await allRead;
    return child.exitCode;
  }

  const hasExited = () => child.exitCode !== null || child.signalCode !== null;

  async function exited(): Promise<void> {
    if (!hasExited()) await once(child, 'exit');
    await allRead;
  }

  await start();
  return {
    get pid() {
      return child.pid ?? 0;
    },
    exited,
    async dieAt(failpoint, listening) {
      try {
        await start({ MAINSHEET_FAILPOINTS: failpoint });
      } catch (error) {
        if (child.signalCode === 'SIGKILL') return;
        throw error;
      }
      await listening?.();
      await exited();
      if (child.signalCode !== 'SIGKILL') throw new Error(`it has not died at ${failpoint}`);
    },
    get url() {
      return url;
    },
    get webhookUrl() {
      return `${url}/webhooks/v1/github`;
    },
    secret,
    get token() {
      return token;
    },
    log,
    logged: (fields, from = 0, timeoutMs = 60_000) =>
      until(
        `the log tells of ${JSON.stringify(fields)}`,
        () =>
          log.slice(from).find((entry) => Object.entries(fields).every(([k, v]) => entry[k] === v)),
        timeoutMs,
      ),
    dataDir,
    specsDir,
    async get<T>(path: string) {
      const response = await asAdmin(`${url}/api/v1${path}`, { headers: ONCE }, token);
      if (!response.ok) throw new Error(`GET ${path}: ${response.status} ${await response.text()}`);
      return (await response.json()) as T;
    },
    post: (path) => asAdmin(`${url}/api/v1${path}`, { method: 'POST', headers: ONCE }, token),
    stop: () => end('SIGTERM'),
    kill: async () => void (await end('SIGKILL')),
    restart: start,
    async remove() {
      await end('SIGKILL');
      // A git or a step that was left may still write there.
      await rm(root, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
    },
  };
}
