import { load, median, row, SECRET } from './load.ts';
import { startServe } from './serve.ts';

/**
 * What a flood of refused requests costs those that are signed. One thread answers both, so it costs the share of that thread's time which
 * it takes: the CPU time of the process is measured under the flood alone, which a busy machine does not change, and fails above a tenth. For
 * comparison pushes are sent over 64 connections, with and without the flood, in turn.
 */

const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 5);
const SECONDS = Number(process.env['BENCH_SECONDS'] ?? 5);
/** Refused requests a second. */
const PACE = Number(process.env['BENCH_PACE'] ?? 500);
const MOST_SHARE = 0.1;

const serve = await startServe('flood', 'mainsheet serve', {
  specs: 'kind: hook\nid: flooded\nsender: { header: X-Token }\nsecrets: [FLOODED]\n',
  env: { MAINSHEET_SECRET_FLOODED: SECRET, MAINSHEET_TRUSTED_PROXIES: '127.0.0.1/32' },
});
const hook = { url: new URL('/webhooks/v1/hooks/flooded', serve.url).href, keeps: false };
const token = 'X-Token: wrong\r\n';
const floods = [
  ['one address, 429', `${token}X-Forwarded-For: 203.0.113.7\r\n`],
  ['addresses that are not counted, 401', token],
] as const;
const flood = (headers: string) => load(hook, SECONDS, { connections: 16, pace: PACE, headers });

console.log(`8 KB requests, median of ${ROUNDS} rounds of ${SECONDS} s\n`);
console.log(row('flood from', ['refused/s', 'µs each', 'of time', 'signed']));
try {
  await load(serve, 1);
  for (const [name, headers] of floods) {
    const rounds: { rate: number; cpu: number; share: number; signed: number }[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      await serve.settle();
      const before = serve.cpu();
      const { rate, answered } = await flood(headers);
      const cpu = serve.cpu() - before;
      const share = cpu / ((answered / rate) * 1000);
      const alone = await load(serve, SECONDS);
      await serve.settle();
      const [beside] = await Promise.all([load(serve, SECONDS), flood(headers)]);
      rounds.push({ rate, cpu: (cpu * 1000) / answered, share, signed: beside.rate / alone.rate });
    }
    const middle = (pick: (round: (typeof rounds)[number]) => number) => median(rounds.map(pick));
    const share = middle((round) => round.share);
    const cells = [middle((round) => round.rate), middle((round) => round.cpu)];
    const shares = [share, middle((round) => round.signed)].map((one) => one.toFixed(2));
    console.log(row(name, [...cells.map(Math.round), ...shares]));
    if (share <= MOST_SHARE) continue;
    console.log(`MISSED a flood takes at most ${MOST_SHARE * 100} % of the time`);
    process.exitCode = 1;
  }
} finally {
  await serve.remove();
}
