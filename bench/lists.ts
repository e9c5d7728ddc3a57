import SQLite from 'better-sqlite3';
import { median, row } from './load.ts';
import { startServe, TOKEN } from './serve.ts';

/** What is asked of a store with many deliveries and runs: each answer is to take less than 50 ms at p50. */

const DELIVERIES = Number(process.env['BENCH_ROWS'] ?? 1_000_000);
const RUNS = DELIVERIES / 10;
const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 20);
const MOST_MS = 50;

/** Somewhere in the middle of the tables. */
const MIDDLE = RUNS / 2;
const QUESTIONS = [
  '/metrics',
  '/readyz',
  '/api/v1/deliveries?limit=100',
  `/api/v1/deliveries?limit=100&cursor=${cursor(DELIVERIES / 2)}`,
  `/api/v1/deliveries/old-${MIDDLE}`,
  `/api/v1/deliveries/old-${MIDDLE}/explain`,
  '/api/v1/runs?limit=100',
  `/api/v1/runs?limit=100&cursor=${cursor(MIDDLE)}`,
  `/api/v1/runs/run-${MIDDLE}`,
  '/api/v1/runs?spec=spec-7',
  '/api/v1/runs?repository=acme/r7',
  '/api/v1/runs?lane=acme/r7/production',
  '/api/v1/runs?state=succeeded',
  '/api/v1/runs?state=cancelled',
  '/api/v1/runs?state=queued',
  '/api/v1/runs?spec=spec-7&state=failed',
  '/api/v1/runs?spec=spec-7&state=cancelled',
  '/api/v1/runs?repository=acme/r7&state=cancelled',
  `/api/v1/runs?delivery=old-${MIDDLE * 10}`,
  `/api/v1/runs?sha=${MIDDLE.toString(16).padStart(40, '0')}`,
  '/api/v1/specs',
  '/api/v1/environments',
  '/api/v1/outbox',
  '/api/v1/outbox?state=dead',
  '/api/v1/insights',
  '/',
  '/runs',
  '/runs?state=failed',
  `/runs/run-${MIDDLE}`,
  '/deliveries',
  `/deliveries/old-${MIDDLE}`,
  '/insights',
  '/insights?spec=spec-7',
  '/specs',
  '/specs/spec-7',
  '/callbacks',
];

const serve = await startServe('lists', 'mainsheet serve', { prepare: fill });
const slow: string[] = [];
try {
  console.log(`${DELIVERIES.toLocaleString('en')} deliveries, ${RUNS.toLocaleString('en')} runs\n`);
  console.log(row('question', ['p50 ms', 'most ms']));
  for (const question of QUESTIONS) {
    const took: number[] = [];
    for (let round = 0; round < ROUNDS; round += 1) took.push(await ask(question));
    if (median(took) > MOST_MS) slow.push(question);
    console.log(row(question, [median(took).toFixed(1), Math.max(...took).toFixed(1)]));
  }
} finally {
  await serve.remove();
}
if (slow.length > 0) {
  console.log(`\nmore than ${MOST_MS} ms: ${slow.join(', ')}`);
  process.exitCode = 1;
}

async function ask(question: string): Promise<number> {
  const url = new URL(question, serve.url);
  const since = performance.now();
  const response = await fetch(url, { headers: { Authorization: `Bearer ${TOKEN}` } });
  const text = await response.text();
  if (response.status !== 200) throw new Error(`${question}: ${response.status} ${text}`);
  return performance.now() - since;
}

/** As `encodeCursor` makes them. */
function cursor(seq: number): string {
  return Buffer.from(`v1:${seq}`).toString('base64url');
}

/** Deliveries of a hundred days of which every tenth has made a run; a hundred specs, a few runs that wait, and fifty were cancelled long ago. */
function fill(file: string): void {
  const began = Date.now() - 100 * 86_400_000;
  const timeOf = (i: string, of: number) => `(${began} + ${i} * ${8_640_000_000 / of})`;
  const database = new SQLite(file);
  database
    .prepare(
      `with recursive n(i) as (select 1 union all select i + 1 from n where i < ?)
       insert into deliveries (id, event, repository, state, received_at, processed_at, attempts, outcome, payload)
       select 'old-' || i, 'push', 'acme/r' || (i % 19), 'processed', ${timeOf('i', DELIVERIES)}, ${timeOf('i', DELIVERIES)}, 1, ?, '{}' from n`,
    )
    .run(DELIVERIES, JSON.stringify({ summary: `Not deployed: ${'x'.repeat(200)}`, specs: [] }));
  database
    .prepare(
      `with recursive n(i) as (select 1 union all select i + 1 from n where i < ?)
       insert into runs (id, spec, spec_digest, repository, environment, lane, ref, branch, sha, event, delivery, cause,
         state, reason, attempts, outputs, created_at, started_at, finished_at)
       select 'run-' || i, 'spec-' || (i % 100), 'digest', 'acme/r' || (i % 19), 'production',
         'acme/r' || (i % 19) || '/production', 'refs/heads/main', 'main', printf('%040x', i), 'push', 'old-' || (i * 10), 'event',
         case when i > ? - 19 then 'queued' when i < 50 then 'cancelled' when i % 10 = 0 then 'failed'
           when i % 11 = 0 then 'superseded' else 'succeeded' end,
         '', 1, '{}', ${timeOf('i', RUNS)}, ${timeOf('i', RUNS)} + 1000, ${timeOf('i', RUNS)} + 60000 from n`,
    )
    .run(RUNS, RUNS);
  database.exec(
    `insert into outbox (run_id, target, callback, state, attempts, next_attempt_at, lease_until, created_at)
       select id, id, '{"kind":"status"}', case when seq % 1000 = 0 then 'dead' else 'sent' end, 1, 0, 0, created_at from runs;
     insert into steps (run_id, position, name, state, attempts, reason, started_at, finished_at)
       select id, 0, 'true', 'succeeded', 1, '', started_at, finished_at from runs;`,
  );
  database.pragma('wal_checkpoint(TRUNCATE)');
  database.close();
}
