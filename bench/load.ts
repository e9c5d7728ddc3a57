import { fork, spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { Load, LoadResult } from './loader.ts';

/** Signed 8 KB pushes against receivers that take turns, because the machine is never quiet. */

export const CONNECTIONS = 64;
export const PATH = '/webhooks/v1/github';
export const SECRET = randomBytes(32).toString('hex');
/** The fastest receiver that keeps what it takes answers fewer than this in a second: so many requests are built for it. */
const MOST_RATE = 20_000;
/** For one that keeps nothing. */
const REPEATED = 5000;

let serial = 1;

/** A receiver in a process of its own. */
export interface Receiver {
  name: string;
  label: string;
  url: string;
  child: ChildProcess;
  /** It counts a delivery once. */
  keeps: boolean;
  /** What has to happen before what it accepted is done. Milliseconds that it took. */
  settle?: () => Promise<number>;
  /** What its load has that others do not. */
  more?: (seconds: number) => Partial<Load>;
}

/** Starts a receiver of `contestants.ts`. */
export async function startReceiver(name: string, label: string, keeps = false): Promise<Receiver> {
  const script = fileURLToPath(new URL('contestants.ts', import.meta.url));
  const child = spawn(process.execPath, [script, name], {
    env: { ...process.env, BENCH_SECRET: SECRET },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const port = await Promise.race([
    portOf(child.stdout),
    once(child, 'exit').then(() => Promise.reject(new Error(`${name} did not start`))),
  ]);
  return { name, label, child, keeps, url: `http://127.0.0.1:${port}${PATH}` };
}

/** The first line that is a number. What it prints besides is read, as a log is. */
async function portOf(output: Readable): Promise<string> {
  return await new Promise((resolve) => {
    createInterface(output).on('line', (line) => {
      if (/^\d+$/.test(line)) resolve(line);
    });
  });
}

/** Loads one receiver from a process of its own. */
export async function load(
  { url, keeps, more: own }: Pick<Receiver, 'url' | 'keeps' | 'more'>,
  seconds: number,
  more: Partial<Load> = own?.(seconds) ?? {},
): Promise<LoadResult> {
  const child = fork(fileURLToPath(new URL('loader.ts', import.meta.url)), {
    execArgv: [],
    serialization: 'advanced',
  });
  const requests = more.requests ?? (keeps ? Math.ceil(seconds * MOST_RATE) : REPEATED);
  const order: Load = {
    url,
    secret: SECRET,
    connections: CONNECTIONS,
    seconds,
    requests,
    repeat: !keeps,
    serial,
    ...more,
  };
  serial += requests;
  child.send(order);
  const [result] = (await Promise.race([
    once(child, 'message'),
    once(child, 'exit').then(() => Promise.reject(new Error('the loader ended'))),
  ])) as [LoadResult];
  child.kill();
  return result;
}

/** The median of numbers. */
export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

/** One line of a table. */
export function row(label: string, cells: readonly (string | number)[]): string {
  return label.padEnd(48) + cells.map((cell) => String(cell).padStart(9)).join('');
}
