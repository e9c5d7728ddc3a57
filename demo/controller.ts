import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { findPackageJSON } from 'node:module';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';

/** The same in a checkout and in the package, where this file lies deeper. */
const ROOT = dirname(findPackageJSON(import.meta.url) ?? '');
const BINARY = join(ROOT, 'bin/mainsheet.js');
const DEPLOYMENTS = join(ROOT, 'demo/specs');

/** A controller in a process of its own, on SQLite, as anybody would start it. */
export interface DemoController {
  url: string;
  secret: string;
  /** The file with the API's token, which it made. */
  tokenFile: string;
  /** SIGTERM; resolves when it is gone. */
  stop: () => Promise<void>;
}

/** Starts `mainsheet serve` against a forge and resolves when it listens. Rejects with what it said when it does not. */
export async function startController(options: {
  forge: { url: string; token: string };
  dataDir: string;
  secret: string;
}): Promise<DemoController> {
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
      MAINSHEET_DATA_DIR: options.dataDir,
      MAINSHEET_DEPLOYMENTS: DEPLOYMENTS,
      GITHUB_API_URL: options.forge.url,
      GITHUB_SERVER_URL: options.forge.url,
      GITHUB_TOKEN: options.forge.token,
      GITHUB_WEBHOOK_SECRET: options.secret,
    },
  });
  const said: string[] = [];
  child.stderr.on('data', (chunk: Buffer) => said.push(chunk.toString()));
  const exited = once(child, 'exit');
  const url = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      const { msg, url: address } = JSON.parse(line) as { msg?: string; url?: string };
      if (msg === 'listening' && address !== undefined) resolve(address);
      else said.push(line);
    });
    child.once('error', reject);
    child.once('exit', (code) => {
      reject(new Error(`the controller ended with ${code}: ${said.join('\n')}`));
    });
  });
  return {
    url,
    secret: options.secret,
    tokenFile: join(options.dataDir, 'admin-token'),
    async stop() {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
      await exited;
    },
  };
}
