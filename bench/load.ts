import { spawn, type ChildProcess } from 'node:child_process';
import { createHmac, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import autocannon from 'autocannon';

/** Signed 8 KB pushes against receivers that take turns, because the machine is never quiet. */

export const CONNECTIONS = 64;
export const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 5);
export const SECONDS = Number(process.env['BENCH_SECONDS'] ?? 3);
export const PATH = '/webhooks/v1/github';
export const SECRET = randomBytes(32).toString('hex');

/** No two the same, as GitHub's are not. */
function bodyOf(id: string): string {
  return JSON.stringify({
    ref: 'refs/heads/main',
    before: 'a'.repeat(40),
    after: 'b'.repeat(40),
    repository: { full_name: 'acme/storefront' },
    filler: `${id}${'x'.repeat(8 * 1024 - 250)}`,
  });
}

function sign(body: string): string {
  return `sha256=${createHmac('sha256', SECRET).update(body).digest('hex')}`;
}

export interface Round {
  /** Requests/s. */
  rate: number;
  /** Milliseconds. */
  p50: number;
  p99: number;
  /** Requests without a 2xx. */
  failed: number;
}

export interface Receiver {
  name: string;
  label: string;
  url: string;
  child: ChildProcess;
}

/** Starts a receiver of `contestants.ts` in a process of its own. */
export async function startReceiver(
  name: string,
  label: string,
  env: Record<string, string> = {},
): Promise<Receiver> {
  const script = fileURLToPath(new URL('contestants.ts', import.meta.url));
  const child = spawn(process.execPath, [script, name], {
    env: { ...process.env, BENCH_SECRET: SECRET, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await Promise.race([
    once(child.stdout, 'data'),
    once(child, 'exit').then(() => Promise.reject(new Error(`${name} did not start`))),
  ])) as [Buffer];
  return { name, label, child, url: `http://127.0.0.1:${line.toString().trim()}${PATH}` };
}

/** Lets the receivers take turns and gives each one's median round, by rate. Ends them afterwards. */
export async function compare(receivers: readonly Receiver[]): Promise<(Receiver & Round)[]> {
  const rounds = new Map(receivers.map((receiver) => [receiver, [] as Round[]]));
  try {
    for (const receiver of receivers) await measure(receiver, 1);
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const receiver of receivers)
        rounds.get(receiver)?.push(await measure(receiver, SECONDS));
    }
  } finally {
    for (const { child } of receivers) child.kill('SIGKILL');
  }
  return receivers.map((receiver) => ({ ...receiver, ...medianOf(rounds.get(receiver) ?? []) }));
}

/** A table of the results, and what `own` is relative to the others. */
export function report(results: readonly (Receiver & Round)[], own: string): void {
  console.log(
    `signed 8 KB push, ${CONNECTIONS} connections, median of ${ROUNDS} rounds of ${SECONDS} s\n`,
  );
  console.log(row('receiver', ['req/s', 'p50 ms', 'p99 ms', 'failed']));
  for (const { label, rate, p50, p99, failed } of results) {
    console.log(row(label, [Math.round(rate), p50, p99, failed]));
  }
  const mine = results.find(({ name }) => name === own);
  if (mine === undefined) return;
  console.log('');
  for (const other of results) {
    if (other === mine) continue;
    const rate = ((mine.rate / other.rate) * 100).toFixed(0);
    const p99 = (mine.p99 / other.p99).toFixed(2);
    console.log(`${mine.label}: ${rate} % of the rate and ${p99} times the p99 of ${other.label}`);
  }
}

async function measure({ url }: Receiver, seconds: number): Promise<Round> {
  let serial = 0;
  const prefix = randomBytes(8).toString('hex');
  const result = await autocannon({
    url,
    connections: CONNECTIONS,
    duration: seconds,
    requests: [
      {
        method: 'POST',
        setupRequest(request) {
          serial += 1;
          const body = bodyOf(`${prefix}-${serial}`);
          return {
            ...request,
            body,
            headers: {
              'content-type': 'application/json',
              'x-github-event': 'push',
              'x-github-delivery': `${prefix}-${serial}`,
              'x-hub-signature-256': sign(body),
            },
          };
        },
      },
    ],
  });
  return {
    rate: result.requests.average,
    p50: result.latency.p50,
    p99: result.latency.p99,
    failed: result.non2xx + result.errors,
  };
}

function medianOf(rounds: readonly Round[]): Round {
  const sorted = [...rounds].sort((a, b) => a.rate - b.rate);
  const median = sorted[Math.floor(sorted.length / 2)] ?? { rate: 0, p50: 0, p99: 0, failed: 0 };
  return { ...median, failed: rounds.reduce((sum, { failed }) => sum + failed, 0) };
}

function row(label: string, cells: readonly (string | number)[]): string {
  return label.padEnd(44) + cells.map((cell) => String(cell).padStart(9)).join('');
}
