import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { findPackageJSON } from 'node:module';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { finished } from 'node:stream/promises';

/** The same in a checkout and in the package, where this file lies deeper. */
const ROOT = dirname(findPackageJSON(import.meta.url) ?? '');
const BINARY = join(ROOT, 'bin/mainsheet.js');
const DEPLOYMENTS = join(ROOT, 'demo/specs');
/** Lines that are told of a controller that never listens. */
const MOST_LINES = 20;

/** A controller in a process of its own, on SQLite, as anybody would start it. */
export interface DemoController {
  url: string;
  secret: string;
  /** The file with the API's token, which it made. */
  tokenFile: string;
  /** The file with all that it logs. */
  logFile: string;
  /** SIGTERM; resolves when it is gone. */
  stop: () => Promise<void>;
}

/** Starts `mainsheet serve` against a forge and resolves when it listens. Rejects with what it said last when it does not. */
export async function startController(options: {
  forge: { url: string; token: string };
  /** Gets its data directory and its log. */
  directory: string;
  secret: string;
  /** Where its specs are. Default: the demo's own. */
  specs?: string | undefined;
  /** Told of each error that it logs: first what it is, then what it is about. */
  onError: (lines: string[]) => void;
}): Promise<DemoController> {
  const dataDir = join(options.directory, 'data');
  const logFile = join(options.directory, 'controller.log');
  const child = spawn(process.execPath, [BINARY, 'serve'], {
    // A group of its own: Ctrl-C reaches the demo first, which then stops the controller in order.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: process.env['PATH'],
      HOME: process.env['HOME'],
      HOST: '127.0.0.1',
      PORT: '0',
      LOG_FORMAT: 'json',
      MAINSHEET_DATA_DIR: dataDir,
      MAINSHEET_DEPLOYMENTS: options.specs ?? DEPLOYMENTS,
      GITHUB_API_URL: options.forge.url,
      GITHUB_SERVER_URL: options.forge.url,
      GITHUB_TOKEN: options.forge.token,
      GITHUB_WEBHOOK_SECRET: options.secret,
    },
  });
  const log = createWriteStream(logFile, { mode: 0o600 });
  const last: string[] = [];
  function keep(line: string): void {
    log.write(`${line}\n`);
    last.push(line);
    if (last.length > MOST_LINES) last.shift();
  }
  createInterface({ input: child.stderr }).on('line', keep);
  const exited = once(child, 'close');
  const url = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      keep(line);
      const entry = readEntry(line);
      if (entry.msg === 'listening' && entry.url !== undefined) resolve(entry.url);
      if (entry.level === 'error') options.onError(errorLines(entry));
    });
    child.once('error', reject);
    child.once('close', (code) => {
      reject(new Error(`the controller ended with ${code}: ${last.join('\n')}`));
    });
  });
  return {
    url,
    secret: options.secret,
    tokenFile: join(dataDir, 'admin-token'),
    logFile,
    async stop() {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
      await exited;
      log.end();
      await finished(log);
    },
  };
}

/** A line of the log, as far as it is looked at. */
interface Entry {
  level?: string;
  msg?: string;
  url?: string;
  reason?: string;
  error?: string;
  problems?: string[];
}

/** Empty for a line that is not the log's, such as one of Node itself. */
function readEntry(line: string): Entry {
  try {
    return JSON.parse(line) as Entry;
  } catch {
    return {};
  }
}

function errorLines({ msg = 'it logged an error', problems, reason, error }: Entry): string[] {
  return [msg, ...(problems ?? [reason ?? error ?? []].flat())];
}
