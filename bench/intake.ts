import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from './free-port.ts';
import { CONNECTIONS, load, median, row, SECRET, startReceiver, type Receiver } from './load.ts';
import type { LoadResult } from './loader.ts';
import { startPushed } from './pushed.ts';
import { startServe, type Serve } from './serve.ts';

/**
 * Taking in webhooks: `mainsheet serve` while it works on what it takes, beside receivers that keep less. They take turns;
 * each figure is the median of the rounds. It is loaded with pushes of which none matches, and with such of which each tenth makes
 * a run that waits. Fails when a goal is missed, and when the loader is not at least three times as fast as the
 * fastest receiver that keeps what it takes: then these figures are the loader's.
 */

const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 5);
const SECONDS = Number(process.env['BENCH_SECONDS'] ?? 10);
const LOADER_MARGIN = 3;
const TICK_US = 10_000;

const sink = await startReceiver('sink', 'nothing but an answer');
const serves: Serve[] = [
  await startServe('none', 'mainsheet serve, 100 specs, none matches'),
  await startPushed('tenth', 'the same, each tenth makes a run', 1 + ROUNDS * SECONDS),
];
const receivers: Receiver[] = [
  await startReceiver('bare', 'bare node:http + HMAC (keeps nothing)'),
  await startReceiver('durable', 'the same + durable SQLite, group commit', true),
  ...serves,
  ...(process.argv.includes('--peers') ? await startPeers() : []),
];

interface Round extends LoadResult {
  /** CPU time for one delivery, in microseconds: of the thread that has the event loop, of all threads, and of processes it started. */
  main: number;
  all: number;
  git: number;
  /** Milliseconds until everything accepted was processed. */
  settled: number;
  /** Megabytes. */
  memory: number;
}

const rounds = new Map(receivers.map((receiver) => [receiver, [] as Round[]]));
const reach: number[] = [];
try {
  for (const receiver of receivers) await measure(receiver, 1);
  for (let round = 0; round < ROUNDS; round += 1) {
    reach.push((await load(sink, SECONDS)).rate);
    for (const receiver of receivers) rounds.get(receiver)?.push(await measure(receiver, SECONDS));
  }
} finally {
  for (const serve of serves) await serve.remove();
  for (const { child } of [sink, ...receivers]) child.kill('SIGKILL');
}
report();

async function measure(receiver: Receiver, seconds: number): Promise<Round> {
  let memory = 0;
  const sampling = setInterval(() => {
    memory = Math.max(memory, (receiver as Partial<Serve>).memory?.() ?? 0);
  }, 200);
  const before = cpuOf(receiver);
  const result = await load(receiver, seconds);
  const settled = (await receiver.settle?.()) ?? 0;
  clearInterval(sampling);
  const after = cpuOf(receiver);
  const each = (which: 'main' | 'all' | 'git') => (after[which] - before[which]) / result.answered;
  return { ...result, main: each('main'), all: each('all'), git: each('git'), settled, memory };
}

/** CPU time that a receiver has taken so far, in microseconds (https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html). */
function cpuOf({ child: { pid } }: Receiver): { main: number; all: number; git: number } {
  const of = (path: string, first = 11) => {
    const fields = readFileSync(path, 'utf8').split(') ')[1]?.split(' ') ?? [];
    return (Number(fields[first]) + Number(fields[first + 1])) * TICK_US;
  };
  const process = `/proc/${pid}/stat`;
  return { main: of(`/proc/${pid}/task/${pid}/stat`), all: of(process), git: of(process, 13) };
}

function report(): void {
  console.log(
    `signed 8 KB push, ${CONNECTIONS} connections, median of ${ROUNDS} rounds of ${SECONDS} s\n`,
  );
  const figures = 'req/s,p50 ms,p99 ms,failed,main µs,all µs,git µs,then s,MB'.split(',');
  console.log(row('receiver', figures));
  const results = receivers.map((receiver) => {
    const of = rounds.get(receiver) ?? [];
    const middle = (pick: (round: Round) => number) => median(of.map(pick));
    const rate = middle((round) => round.rate);
    const p99 = middle((round) => round.p99);
    const settled = middle((round) => round.settled) / 1000;
    const failed = of.reduce((sum, round) => sum + round.failed, 0);
    const p50 = middle((round) => round.p50).toFixed(1);
    const memory = middle((round) => round.memory);
    const cpu = [middle((round) => round.main), middle((round) => round.all)].map(Math.round);
    const cells = [Math.round(rate), p50, p99.toFixed(1), failed, ...cpu];
    const git = Math.round(middle((round) => round.git));
    const work = receiver.settle === undefined ? [] : [git, settled.toFixed(2), memory];
    console.log(row(receiver.label, [...cells, ...work]));
    return { receiver, rate, p99, settled, memory };
  });
  console.log('');
  for (const mine of results.filter(({ receiver }) => receiver.settle !== undefined)) {
    for (const other of results.filter(({ receiver }) => receiver.settle === undefined)) {
      const share = ((mine.rate / other.rate) * 100).toFixed(0);
      const times = (mine.p99 / other.p99).toFixed(2);
      const { label } = other.receiver;
      console.log(`${mine.receiver.name}: ${share} % of the rate, ${times} × the p99 of ${label}`);
    }
  }
  const kept = results.filter(({ receiver }) => receiver.keeps);
  const margin = median(reach) / Math.max(...kept.map(({ rate }) => rate));
  check(
    `the loader reaches ${Math.round(median(reach))} req/s, ${margin.toFixed(1)} × the fastest that keeps what it takes`,
    margin >= LOADER_MARGIN,
  );
  const rateOf = (peer: string) => results.find(({ receiver }) => receiver.name === peer)?.rate;
  const durable = results.find(({ receiver }) => receiver.name === 'durable');
  for (const mine of results.filter(({ receiver }) => receiver.settle !== undefined)) {
    const { name } = mine.receiver;
    check(
      `${name}: at least 70 % of the rate of the durable one`,
      mine.rate >= 0.7 * (durable?.rate ?? 0),
    );
    check(`${name}: at most 1.5 × its p99`, mine.p99 <= 1.5 * (durable?.p99 ?? 0));
    // What does not take part says nothing.
    const [probot, webhook] = [rateOf('probot'), rateOf('webhook')];
    if (probot !== undefined) check(`${name}: faster than Probot`, mine.rate > probot);
    if (webhook !== undefined) {
      check(`${name}: twice as fast as adnanh/webhook`, mine.rate >= 2 * webhook);
    }
    check(`${name}: what it accepted is processed within 2 s`, mine.settled <= 2);
    check(`${name}: less than 250 MB`, mine.memory < 250);
  }
}

function check(goal: string, met: boolean): void {
  console.log(`${met ? 'met   ' : 'MISSED'} ${goal}`);
  if (!met) process.exitCode = 1;
}

async function startPeers(): Promise<Receiver[]> {
  const found: Receiver[] = [];
  try {
    found.push(await startReceiver('probot', 'Probot, as `probot run` starts it (keeps nothing)'));
  } catch {
    console.log('Probot is left out: npm install --no-save probot adds it.\n');
  }
  if (spawnSync('webhook', ['-version']).error === undefined) {
    found.push(await startWebhook('webhook', 'adnanh/webhook, /bin/true (keeps nothing)'));
  } else {
    console.log('adnanh/webhook is left out: the program `webhook` is not installed.\n');
  }
  return found;
}

/** adnanh/webhook with a rule that checks the signature and starts /bin/true. */
async function startWebhook(name: string, label: string): Promise<Receiver> {
  const port = await freePort();
  const hooks = join(mkdtempSync(join(tmpdir(), 'bench-')), 'hooks.json');
  const parameter = { source: 'header', name: 'X-Hub-Signature-256' };
  const match = { type: 'payload-hmac-sha256', secret: SECRET, parameter };
  const hook = { id: 'github', 'execute-command': '/bin/true', 'trigger-rule': { match } };
  writeFileSync(hooks, JSON.stringify([hook]));
  const child = spawn('webhook', ['-hooks', hooks, '-ip', '127.0.0.1', '-port', String(port)], {
    stdio: 'ignore',
  });
  const url = `http://127.0.0.1:${port}/hooks/github`;
  for (let attempt = 0; attempt < 200; attempt += 1) {
    const answered = await fetch(url, { method: 'POST' }).then(
      () => true,
      () => false,
    );
    if (answered) break;
    await delay(25);
  }
  return { name, label, url, child, keeps: false };
}
