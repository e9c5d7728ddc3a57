import { createHmac, randomBytes } from 'node:crypto';
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import autocannon from 'autocannon';

/**
 * Requests/s and latency of taking in a signed 8 KB push, side by side in one run. The contestants take turns, several
 * rounds each, and the median round counts, because the machine is never quiet. Read the ratios.
 */

const SECRET = randomBytes(32).toString('hex');
const CONNECTIONS = 64;
const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 5);
const SECONDS = Number(process.env['BENCH_SECONDS'] ?? 3);
const PATH = '/webhooks/v1/github';
const body = JSON.stringify({
  ref: 'refs/heads/main',
  repository: { full_name: 'acme/storefront' },
  filler: 'x'.repeat(8 * 1024 - 100),
});
const signature = `sha256=${createHmac('sha256', SECRET).update(body).digest('hex')}`;

interface Contestant {
  name: string;
  label: string;
  url: string;
  child: ChildProcess;
  rounds: { rate: number; p50: number; p99: number; failed: number }[];
}

const peers = process.argv.includes('--peers');
const contestants: Contestant[] = [];
try {
  contestants.push(await startOwn('bare', 'bare node:http + HMAC (keeps nothing)'));
  contestants.push(await startOwn('durable', 'the same + durable SQLite, group commit'));
  contestants.push(await startOwn('mainsheet', 'Mainsheet, whole route (durable)'));
  if (peers) contestants.push(...(await startPeers()));
  for (const contestant of contestants) await measure(contestant, 1);
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const contestant of contestants) {
      contestant.rounds.push(await measure(contestant, SECONDS));
    }
  }
  report();
} finally {
  for (const { child } of contestants) child.kill('SIGKILL');
}

async function startOwn(name: string, label: string): Promise<Contestant> {
  const script = fileURLToPath(new URL('contestants.ts', import.meta.url));
  const child = spawn(process.execPath, [script, name], {
    env: { ...process.env, BENCH_SECRET: SECRET },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await Promise.race([
    once(child.stdout, 'data'),
    once(child, 'exit').then(() => Promise.reject(new Error(`${name} did not start`))),
  ])) as [Buffer];
  const url = `http://127.0.0.1:${line.toString().trim()}${PATH}`;
  return { name, label, url, child, rounds: [] };
}

async function startPeers(): Promise<Contestant[]> {
  const found: Contestant[] = [];
  try {
    found.push(await startOwn('probot', 'Probot (keeps nothing)'));
  } catch {
    console.log('Probot is left out: npm install --no-save probot adds it.\n');
  }
  if (spawnSync('webhook', ['-version']).error === undefined) {
    found.push(await startWebhook());
  } else {
    console.log('adnanh/webhook is left out: the program `webhook` is not installed.\n');
  }
  return found;
}

/** adnanh/webhook with a rule that checks the signature and starts /bin/true. */
async function startWebhook(): Promise<Contestant> {
  const port = await freePort();
  const hooks = join(mkdtempSync(join(tmpdir(), 'bench-')), 'hooks.json');
  const parameter = { source: 'header', name: 'X-Hub-Signature-256' };
  writeFileSync(
    hooks,
    JSON.stringify([
      {
        id: 'github',
        'execute-command': '/bin/true',
        'trigger-rule': { match: { type: 'payload-hmac-sha256', secret: SECRET, parameter } },
      },
    ]),
  );
  const child = spawn('webhook', ['-hooks', hooks, '-ip', '127.0.0.1', '-port', String(port)], {
    stdio: 'ignore',
  });
  const url = `http://127.0.0.1:${port}/hooks/github`;
  for (let attempt = 0; attempt < 200; attempt += 1) {
    try {
      await fetch(url, { method: 'POST' });
      break;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
  }
  return {
    name: 'webhook',
    label: 'adnanh/webhook, /bin/true (keeps nothing)',
    url,
    child,
    rounds: [],
  };
}

async function freePort(): Promise<number> {
  const { createServer } = await import('node:net');
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : 0;
}

async function measure(contestant: Contestant, seconds: number): Promise<Contestant['rounds'][0]> {
  let serial = 0;
  const prefix = randomBytes(8).toString('hex');
  const result = await autocannon({
    url: contestant.url,
    connections: CONNECTIONS,
    duration: seconds,
    requests: [
      {
        method: 'POST',
        body,
        setupRequest(request) {
          serial += 1;
          return {
            ...request,
            headers: {
              'content-type': 'application/json',
              'x-github-event': 'push',
              'x-github-delivery': `${prefix}-${serial}`,
              'x-hub-signature-256': signature,
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

function report(): void {
  const rows = contestants.map((contestant) => {
    const sorted = [...contestant.rounds].sort((a, b) => a.rate - b.rate);
    const median = sorted[Math.floor(sorted.length / 2)] ?? { rate: 0, p50: 0, p99: 0, failed: 0 };
    return {
      ...contestant,
      ...median,
      failed: contestant.rounds.reduce((n, r) => n + r.failed, 0),
    };
  });
  console.log(
    `signed 8 KB push, ${CONNECTIONS} connections, median of ${ROUNDS} rounds of ${SECONDS} s\n`,
  );
  console.log(
    `${'receiver'.padEnd(44)}${'req/s'.padStart(8)}${'p50 ms'.padStart(9)}${'p99 ms'.padStart(9)}${'failed'.padStart(9)}`,
  );
  for (const row of rows) {
    console.log(
      row.label.padEnd(44) +
        String(Math.round(row.rate)).padStart(8) +
        String(row.p50).padStart(9) +
        String(row.p99).padStart(9) +
        String(row.failed).padStart(9),
    );
  }
  const own = rows.find((row) => row.name === 'mainsheet');
  if (own === undefined) return;
  console.log('');
  for (const row of rows) {
    if (row === own) continue;
    const rate = (own.rate / row.rate) * 100;
    const p99 = own.p99 / row.p99;
    console.log(
      `Mainsheet has ${rate.toFixed(0)} % of the rate and ${p99.toFixed(2)} times the p99 of: ${row.label}`,
    );
  }
}
