import { randomBytes } from 'node:crypto';
import SQLite from 'better-sqlite3';
import { load, median, row } from './load.ts';
import { startServe } from './serve.ts';

/**
 * Hooks that were made through the API, a few and 100,000: requests to a thousand of them, all over the table, with a wrong token, so that
 * each is looked up and nothing else is done. A second server with a few says how much two of the same differ on this machine. All get as many
 * requests a second, in short rounds and in another order each time. Fails when with many each takes over a tenth more of CPU time than
 * that, or 20 MB more are needed.
 */

const MANY = Number(process.env['BENCH_ROWS'] ?? 100_000);
const FEW = 1000;
const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 20);
const SECONDS = Number(process.env['BENCH_SECONDS'] ?? 2);
/** Requests a second, far below what one process takes. */
const PACE = Number(process.env['BENCH_PACE'] ?? 1000);

const HOOK = 'kind: hook\nid: tenants\nsender: { header: X-Token }\n';
const env = { MAINSHEET_SESSION_KEY: randomBytes(32).toString('hex') };
const serves = await Promise.all(
  [FEW, FEW, MANY].map(async (count) => {
    const ids = Array.from({ length: count }, () => randomBytes(16).toString('hex'));
    const options = { specs: HOOK, env, prepare: (file: string) => fill(file, ids) };
    const step = count / FEW;
    const asked = ids.filter((_, index) => index % step === 0);
    return { count, asked, serve: await startServe('hooks', `${count} hooks`, options) };
  }),
);
const costs = serves.map(() => [] as number[]);
const memory = serves.map(() => 0);
try {
  for (let round = 0; round <= ROUNDS; round += 1) {
    const order = [...serves.entries()];
    order.push(...order.splice(0, round % order.length));
    for (const [index, { serve, asked }] of order) {
      const paths = asked.map((id) => `/webhooks/v1/hooks/${id}`);
      const headers = 'X-Token: wrong\r\n';
      const asking = { paths, requests: FEW, repeat: true, headers, pace: PACE };
      const before = serve.cpu();
      const { answered } = await load(serve, SECONDS, asking);
      if (round > 0) costs[index]?.push(((serve.cpu() - before) * 1000) / answered);
      memory[index] = serve.memory();
    }
  }
} finally {
  for (const { serve } of serves) await serve.remove();
}
console.log(row('hooks', ['µs each', 'MB']));
for (const [index, { count }] of serves.entries()) {
  console.log(row(String(count), [median(costs[index] ?? []).toFixed(0), memory[index] ?? 0]));
}
const [few = [], same = [], many = []] = costs;
const timesOf = (cost: number[]) => median(cost.map((one, round) => one / (few[round] ?? NaN)));
const [times, unlike] = [timesOf(many), timesOf(same)];
const more = (memory[2] ?? 0) - Math.max(memory[0] ?? 0, memory[1] ?? 0);
console.log(
  `\n${times.toFixed(2)} × the CPU time, ${more} MB more; of the same ${unlike.toFixed(2)} ×`,
);
if (times > 1.1 * Math.max(1, unlike) || more > 20) process.exitCode = 1;

function fill(file: string, ids: readonly string[]): void {
  const database = new SQLite(file);
  const insert = database.prepare(
    `insert into hooks (id, hook, owner, specs, inputs, secrets, created_at, created_by, expires_at)
     values (?, 'tenants', 'bench', '[]', '{}', ?, ?, 'bench', ?)`,
  );
  const now = Date.now();
  const secrets = JSON.stringify([{ id: 'one', createdAt: now, until: null }]);
  database.transaction(() => {
    for (const id of ids) insert.run(id, secrets, now, now + 24 * 3_600_000);
  })();
  database.close();
}
