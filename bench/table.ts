import SQLite from 'better-sqlite3';
import { load, median, row } from './load.ts';
import { startServe } from './serve.ts';

/** Taking in a webhook with an empty and with a full delivery table: the rate is to stay (a ratio of at least 0.9). */

const ROWS = Number(process.env['BENCH_ROWS'] ?? 1_000_000);
const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 5);
const SECONDS = Number(process.env['BENCH_SECONDS'] ?? 3);

const serves = [
  await startServe('empty', 'mainsheet serve, empty table'),
  await startServe('full', `mainsheet serve, ${ROWS.toLocaleString('en')} rows`, { prepare: fill }),
];
const results = serves.map((serve) => ({ serve, rates: [] as number[], p99: [] as number[] }));
try {
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const { serve, rates, p99 } of results) {
      const result = await load(serve, SECONDS);
      await serve.settle();
      rates.push(result.rate);
      p99.push(result.p99);
    }
  }
} finally {
  for (const serve of serves) await serve.remove();
}
console.log(row('table', ['req/s', 'p99 ms']));
for (const { serve, rates, p99 } of results) {
  console.log(row(serve.label, [Math.round(median(rates)), median(p99).toFixed(1)]));
}
const [empty, full] = results.map(({ rates }) => median(rates));
console.log(`\nfull: ${(((full ?? 0) / (empty ?? 1)) * 100).toFixed(0)} % of the rate of empty`);

/** Puts processed deliveries of 1 KB into the table. */
function fill(file: string): void {
  const database = new SQLite(file);
  database
    .prepare(
      `with recursive n(i) as (select 1 union all select i + 1 from n where i < ?)
       insert into deliveries (id, event, repository, payload, state, received_at)
       select 'old-' || i, 'push', 'acme/r' || (i % 100), ?, 'processed', i from n`,
    )
    .run(ROWS, 'x'.repeat(1024));
  database.pragma('wal_checkpoint(TRUNCATE)');
  database.close();
}
