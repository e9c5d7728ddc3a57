import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Kysely, PostgresDialect, type CompiledQuery } from 'kysely';
import { Client, Pool, types } from 'pg';
import { createStore, type Store } from '../../src/store/index.ts';
import type { Row } from '../../src/store/query.ts';
import { usePostgres, type Databases } from '../support/postgres.ts';
import { sampleDelivery, sampleRun } from './samples.ts';

/** Rows that are closed: what a hot query must not go through. */
const CLOSED = 10_000;

/** One node of `explain (format json)`: https://www.postgresql.org/docs/current/using-explain.html */
interface Plan {
  'Node Type': string;
  'Relation Name'?: string;
  'Index Name'?: string;
  Plans?: Plan[];
}

describe('on PostgreSQL with ten thousand closed rows', () => {
  let server: Databases;
  let client: Client;
  let store: Store;
  let queries: CompiledQuery[] = [];

  before(async () => {
    types.setTypeParser(types.builtins.INT8, Number);
    server = await usePostgres();
    const connectionString = await server.database();
    const pool = new Pool({ connectionString });
    // A connection that is being closed may hear that the server stops.
    pool.on('error', () => undefined);
    const db = new Kysely<Record<string, Row>>({
      dialect: new PostgresDialect({ pool }),
      log: ({ query }) => void queries.push(query),
    });
    store = await createStore(db);
    client = new Client({ connectionString });
    await client.connect();
    await fill(client);
  });

  after(async () => {
    await client.end();
    await store.close();
    await server.remove();
  });

  /** Every table and index that the statements of `ask` read, with how: `Index Scan of runs using runs_active`. */
  async function readsOf(ask: () => Promise<unknown>): Promise<string[]> {
    queries = [];
    await ask();
    const reads: string[] = [];
    for (const { sql, parameters } of queries) {
      const { rows } = await client.query<{ 'QUERY PLAN': [{ Plan: Plan }] }>(
        `explain (format json) ${sql}`,
        [...parameters],
      );
      const plan = rows[0]?.['QUERY PLAN'][0].Plan;
      assert.ok(plan);
      reads.push(...readsIn(plan));
    }
    return reads;
  }

  const hot: [string, string[], () => Promise<unknown>][] = [
    [
      'inbox.claim',
      ['deliveries_waiting', 'deliveries_pending'],
      () => store.inbox.claim(2000, 100),
    ],
    [
      'runs.nextRunnable',
      ['runs_waiting', 'runs_one_per_lane', 'runs_active', 'runs_of_place'],
      () => store.runs.nextRunnable(2000),
    ],
    [
      'outbox.claim',
      ['outbox_waiting', 'outbox_pending', 'outbox_ahead'],
      () => store.outbox.claim(2000, 100, 8),
    ],
    [
      'inbox.countPending',
      ['deliveries_waiting', 'deliveries_pending'],
      () => store.inbox.countPending(),
    ],
    [
      'runs.underWay',
      ['runs_waiting', 'runs_one_per_lane', 'runs_active', 'runs_blocked'],
      () => store.runs.underWay({ each: 9, most: 99 }),
    ],
    ['runs.active', ['runs_active', 'runs_waiting'], () => store.runs.active('main')],
    [
      'runs.activeAt',
      ['runs_of_place', 'runs_active', 'runs_by_spec'],
      () => store.runs.activeAt({ spec: 'x', lane: 'y', environment: 'z' }),
    ],
    [
      'outbox.laterInTarget',
      ['outbox_by_target'],
      async () => {
        const entries = [await store.outbox.get(1), await store.outbox.get(2)];
        return await store.outbox.laterInTarget(entries as never);
      },
    ],
    [
      'runs.list',
      ['runs_by_spec', 'runs_pkey'],
      () => store.runs.list({ limit: 9, before: undefined }, { spec: 'storefront' }),
    ],
    ['insights.runs', ['runs_ended'], () => store.insights.runs({ from: 1, to: 5 }, {})],
    ['inbox.lastOfHook', ['deliveries_of_hooks'], () => store.inbox.lastOfHook('x')],
    [
      'inbox.list of the failed',
      ['deliveries_failed', 'deliveries_narrow'],
      () => store.inbox.list({ limit: 9, before: undefined }, { state: 'failed' }),
    ],
    [
      'outbox.list of the dead for a person',
      ['outbox_dead', 'runs_by_repository'],
      () => store.outbox.list({ limit: 9, before: 5 }, { state: 'dead', visible: ['a/b'] }),
    ],
    ['inbox.get', ['deliveries_id_key'], () => store.inbox.get('closed5')],
    ['inbox.store', [], () => store.accept(sampleDelivery('new'))],
    [
      'inbox.store of a copy',
      ['deliveries_by_digest'],
      async () => {
        await store.accept(sampleDelivery('original', { digest: 'x' }));
        await store.accept(sampleDelivery('copy', { digest: 'x' }));
      },
    ],
    ['runs.insert', [], () => store.runs.insert(sampleRun('new', { lane: 'new' }), ['Build'])],
  ];

  for (const [name, indexes, ask] of hot) {
    test(`${name} goes through no table`, async () => {
      const reads = await readsOf(ask);
      const told = reads.join('\n');
      assert.deepEqual(
        // What operators have paused is a handful of rows: an index of it would cost more.
        reads.filter((read) => /^Seq Scan of (?!pauses$)/.test(read)),
        [],
        told,
      );
      // An index of everything that is gone through from end to end would be no better; these hold what is open, or are
      // asked for one value.
      const others = reads.filter(
        (read) =>
          / using /.test(read) &&
          !/_pkey$|_id_key$/.test(read) &&
          !indexes.some((index) => read.endsWith(index)),
      );
      assert.deepEqual(others, [], told);
      if (indexes.length > 0) {
        assert.ok(
          indexes.some((index) => told.includes(index)),
          told,
        );
      }
    });
  }
});

function readsIn(plan: Plan): string[] {
  const index = plan['Index Name'];
  const table = plan['Relation Name'];
  const own =
    table === undefined && index === undefined
      ? []
      : [
          `${plan['Node Type']}${table === undefined ? '' : ` of ${table}`}${index === undefined ? '' : ` using ${index}`}`,
        ];
  const isWrite = plan['Node Type'] === 'ModifyTable';
  return [...(isWrite ? [] : own), ...(plan.Plans ?? []).flatMap(readsIn)];
}

/** Everything closed, then one open row in each table. */
async function fill(client: Client): Promise<void> {
  const open = (state: string, closed: string) =>
    `case when n = ${CLOSED} then '${state}' else '${closed}' end`;
  const id = `case when n = ${CLOSED} then 'open' else 'closed' || n end`;
  const from = `from generate_series(0, ${CLOSED}) as n`;
  await client.query(`
    insert into deliveries (id, event, repository, payload, state, received_at)
      select ${id}, 'push', 'acme/storefront', '{}', ${open('pending', 'processed')}, 1 ${from};
    insert into runs (id, spec, spec_digest, repository, environment, lane, ref, sha, event, delivery, cause, state,
        reason, attempts, outputs, created_at)
      select ${id}, 'storefront', '', 'acme/storefront', 'production', 'main', '', '', 'push', ${id}, 'event',
        ${open('queued', 'succeeded')}, '', 0, '{}', 1 ${from};
    insert into outbox (run_id, target, callback, state, attempts, next_attempt_at, lease_until, created_at)
      select 'r', 'target' || n % 1000, '{"kind":"status"}', ${open('pending', 'sent')}, 0, 1, 0, 1 ${from};
    analyze;
  `);
}
