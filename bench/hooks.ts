import { randomBytes } from 'node:crypto';
import SQLite from 'better-sqlite3';
import { load, median, row } from './load.ts';
import { startServe } from './serve.ts';

/**
 * Hooks that were made through the API, a few and 100,000: requests to a thousand of them, all over the table, with a wrong token, so that
 * each is looked up and nothing else is done. Fails when with many each takes over a tenth more of CPU time, or 20 MB more are needed.
 */

const MANY = Number(process.env['BENCH_ROWS'] ?? 100_000);
const FEW = 1000;
const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 5);
const SECONDS = Number(process.env['BENCH_SECONDS'] ?? 5);

const HOOK = 'kind: hook\nid: tenants\nsender: { header: X-Token }\n';
const env = { MAINSHEET_SESSION_KEY: randomBytes(32).toString('hex') };
const serves = await Promise.all(
  [FEW, MANY].map(async (count) => {
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
    for (const [index, { serve, asked }] of serves.entries()) {
      const paths = asked.map((id) => `/webhooks/v1/hooks/${id}`);
      const order = { paths, requests: FEW, repeat: true, headers: 'X-Token: wrong\r\n' };
      const before = serve.cpu();
      const { answered } = await load(serve, round === 0 ? 1 : SECONDS, order);
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
const [few = [], many = []] = costs;
const times = median(many) / median(few);
const more = (memory[1] ?? 0) - (memory[0] ?? 0);
console.log(`\n${times.toFixed(2)} × the CPU time, ${more} MB more`);
if (times > 1.1 || more > 20) process.exitCode = 1;

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
