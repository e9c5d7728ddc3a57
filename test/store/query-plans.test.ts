import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import SQLite from 'better-sqlite3';
import { Kysely, SqliteDialect, type CompiledQuery } from 'kysely';
import { createStore, type Store } from '../../src/store/index.ts';
import { SteadyQueryCompiler } from '../../src/store/sqlite-driver.ts';
import { decodeCursor } from '../../src/store/page.ts';
import type { Row } from '../../src/store/query.ts';
import { sampleRun, sampleStatus } from './samples.ts';

const PAGE = { limit: 9, before: undefined };
/** More than are looked up one by one. */
const MANY = Array.from({ length: 50 }, (_, index) => `acme/r${index}`);
/** Rows that are closed: what a hot query must not go through. */
const CLOSED = 10_000;

describe('with ten thousand closed rows', () => {
  let directory = '';
  let sqlite: SQLite.Database;
  let store: Store;
  let queries: CompiledQuery[] = [];

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'mainsheet-plans-'));
    sqlite = new SQLite(join(directory, 'mainsheet.db'));
    sqlite.pragma('journal_mode = WAL');
    const db = new Kysely<Record<string, Row>>({
      dialect: Object.assign(new SqliteDialect({ database: sqlite }), {
        createQueryCompiler: () => new SteadyQueryCompiler(),
      }),
      log: ({ query }) => void queries.push(query),
    });
    store = await createStore(db);
    fill(sqlite);
  });

  after(async () => {
    await store.close();
    await rm(directory, { recursive: true, force: true });
  });

  /** The plan of each statement that `ask` sends: one line for every table that is read. */
  async function plansOf(ask: () => Promise<unknown>): Promise<string[]> {
    queries = [];
    await ask();
    const asked = queries.filter(({ sql }) => sql !== 'select total_changes() as changes');
    return asked.flatMap((query) =>
      sqlite
        .prepare<unknown[], { detail: string }>(`explain query plan ${query.sql}`)
        .all(...query.parameters)
        .map(({ detail }) => detail),
    );
  }

  const hot: [string, string[], () => Promise<unknown>][] = [
    [
      'inbox.following',
      ['deliveries_pending'],
      () =>
        store.inbox.following({ id: 'open', repository: 'acme/storefront' } as never, 2000, 9, 999),
    ],
    [
      'inbox.claim',
      ['deliveries_waiting', 'deliveries_pending'],
      () => store.inbox.claim(2000, 100),
    ],
    [
      'runs.madeByLater',
      ['runs_by_spec'],
      () => store.runs.madeByLater('storefront', 'main', 'closed1'),
    ],
    [
      'environments.get',
      ['environments_by_spec'],
      () => store.environments.get({ spec: 'storefront', lane: 'x', environment: 'y' }),
    ],
    [
      'runs.lastToDeploy',
      ['runs_by_spec'],
      async () => store.runs.lastToDeploy((await store.runs.get('closed1')) as never),
    ],
    [
      'runs.nextRunnable',
      ['runs_waiting', 'runs_one_per_lane', 'runs_active', 'runs_of_place'],
      () => store.runs.nextRunnable(2000),
    ],
    [
      'deployed.list',
      ['runs_deployed'],
      () => store.deployed.list({ spec: 'x', lane: 'y' }, { limit: 9, before: 5 }),
    ],
    [
      'deployed.at',
      ['runs_deployed'],
      () => store.deployed.at({ spec: 'storefront', lane: 'main', visible: ['a/b'] }, 5),
    ],
    [
      'deployed.within',
      ['runs_deployed'],
      () => store.deployed.within({ spec: 'x', lane: 'y' }, 1, 5, 9),
    ],
    [
      'deployed.between',
      ['runs_by_spec'],
      async () => {
        const [older, newer] = [await store.runs.get('closed1'), await store.runs.get('closed9')];
        return store.deployed.between({ spec: 'x', lane: 'y' }, older as never, newer as never, 9);
      },
    ],
    ['audit.ofMade', ['audit_by_time'], () => store.audit.ofMade({ id: 'x', createdAt: 5 })],
    ['gates.due', ['runs_to_look_at'], () => store.gates.due(2000, 50)],
    ['outbox.claim', ['outbox_waiting', 'outbox_pending'], () => store.outbox.claim(2000, 100, 8)],
    [
      'outbox.claim of what is not held',
      ['outbox_waiting', 'outbox_pending'],
      () =>
        store.outbox.claim(2000, 100, 8, {
          to: 'github',
          held: [{ account: 'acme', importance: 2 }],
        }),
    ],
    [
      'outbox.claim of webhooks whose hosts have room',
      ['outbox_waiting', 'outbox_pending'],
      () => store.outbox.claim(2000, 100, 8, { to: 'receivers', except: ['a', 'b'] }),
    ],
    ['outbox.countOpen', ['outbox_waiting', 'outbox_dead'], () => store.outbox.countOpen()],
    [
      'githubWrites.reserve',
      ['github_writes_account'],
      () =>
        store.githubWrites.reserve(
          'acme',
          () => 9990,
          () => [],
        ),
    ],
    ['githubWrites.counts', ['github_writes_at'], () => store.githubWrites.counts(1e9)],
    ['githubWrites.forget', ['github_writes_at'], () => store.githubWrites.forget(0)],
    [
      'outbox.add',
      ['outbox_ahead', 'outbox_lane'],
      () =>
        store.outbox.add(
          'r',
          [{ target: 'b', callback: sampleStatus('success'), lane: 'm' }],
          20_000,
        ),
    ],
    ['hooks.get', ['sqlite_autoindex_hooks_1'], () => store.hooks.get('x')],
    ['hooks.list of an owner', ['hooks_by_owner'], () => store.hooks.list(PAGE, 'x')],
    ['hooks.removeExpired', ['hooks_by_expiry'], () => store.hooks.removeExpired(1, 9)],
    ['chains.waiting', ['chains_due'], () => store.chains.waiting(9)],
    ['batches.gathering', ['batches_open'], () => store.batches.gathering(9)],
    ['previews.open', ['previews_open'], () => store.previews.open(9)],
    ['inbox.lastOfHook', ['deliveries_of_hooks'], () => store.inbox.lastOfHook('x')],
    [
      'inbox.list by repository',
      ['COVERING INDEX deliveries_narrow'],
      () => store.inbox.list({ limit: 9, before: 5 }, { repository: 'x' }),
    ],
    [
      'inbox.list by event for a person',
      ['COVERING INDEX deliveries_narrow'],
      () => store.inbox.list({ limit: 9, before: 5 }, { event: 'x', visible: ['a/b'] }),
    ],
    [
      'inbox.list of the failed',
      ['deliveries_failed'],
      () => store.inbox.list(PAGE, { state: 'failed', visible: ['a/b'] }),
    ],
    [
      'pastDeliveries.naming',
      ['COVERING INDEX deliveries_narrow'],
      () => store.pastDeliveries.naming(['a/b'], 'abcdef0', ['hook:x']),
    ],
    [
      'pastDeliveries.ofPull',
      ['COVERING INDEX deliveries_narrow'],
      () => store.pastDeliveries.ofPull(['a/b'], 7),
    ],
    [
      'outbox.list of the dead for a person',
      ['outbox_dead', 'sqlite_autoindex_runs_1'],
      () => store.outbox.list(PAGE, { state: 'dead', visible: ['a/b'] }),
    ],
    [
      'runs.list by state for a person with many repositories',
      ['runs_waiting'],
      () => store.runs.list(PAGE, { state: 'queued', visible: MANY }),
    ],
    ['audit.search by actor', ['audit_by_actor'], () => store.audit.search(PAGE, { actor: 'x' })],
    [
      'audit.search by action',
      ['audit_by_action'],
      () => store.audit.search(PAGE, { action: 'x' }),
    ],
    [
      'audit.search by subject',
      ['audit_by_subject'],
      () => store.audit.search({ limit: 9, before: 5 }, { subject: 'x' }),
    ],
    ['insights.runs', ['runs_ended'], () => store.insights.runs({ from: 1, to: 5 }, {})],
    [
      'insights.runs of a spec',
      ['runs_by_spec'],
      () => store.insights.runs({ from: 1, to: 5 }, { spec: 'x' }),
    ],
    [
      'insights.runs of what may be seen',
      ['runs_by_repository'],
      () => store.insights.runs({ from: 1, to: 5 }, { visible: ['a/b', 'a/c'] }),
    ],
    [
      'insights.liveBefore',
      ['runs_by_sha', 'sqlite_autoindex_runs_1'],
      () => store.insights.liveBefore(['a', 'b']),
    ],
    ['runs.countOpen', ['runs_waiting'], () => store.runs.countOpen()],
    [
      'runs.underWay',
      ['runs_waiting', 'runs_blocked'],
      () => store.runs.underWay({ each: 9, most: 99 }),
    ],
    ['inbox.countPending', ['deliveries_waiting'], () => store.inbox.countPending()],
    ['runs.active', ['runs_active'], () => store.runs.active('main')],
    [
      'runs.activeAt',
      ['runs_of_place', 'runs_active'],
      () => store.runs.activeAt({ spec: 'x', lane: 'y', environment: 'z' }),
    ],
    [
      'outbox.laterInTarget',
      ['outbox_by_target'],
      async () =>
        store.outbox.laterInTarget([await store.outbox.get(1), await store.outbox.get(2)] as never),
    ],
    ['runs.list', ['runs_by_spec'], () => store.runs.list({ limit: 9, before: 5 }, { spec: 'x' })],
    ['runs.list by sha', ['runs_by_sha'], () => store.runs.list(PAGE, { sha: 'x' })],
    ['runs.list by lane', ['runs_by_lane'], () => store.runs.list(PAGE, { lane: 'x' })],
    ['runs.list by state', ['runs_by_end'], () => store.runs.list(PAGE, { state: 'failed' })],
    ['runs.list of what runs', [], () => store.runs.list(PAGE, { state: 'running' })],
    [
      'runs.list by repository',
      ['runs_by_repository'],
      () => store.runs.list(PAGE, { repository: 'x' }),
    ],
    ['runs.list by delivery', ['runs_by_delivery'], () => store.runs.list(PAGE, { delivery: 'x' })],
    ['outbox.countDead', [], () => store.outbox.countDead({ target: 'x', run: 'r' })],
    ['outbox.list of the dead', ['outbox_dead'], () => store.outbox.list(PAGE, { state: 'dead' })],
    [
      'outbox.list of the obsolete',
      ['outbox_obsolete'],
      () => store.outbox.list(PAGE, { state: 'obsolete' }),
    ],
    [
      'retention.payloads',
      ['deliveries_whole', 'runs_by_delivery'],
      () => store.retention.payloads({ before: 0, count: CLOSED }, 1, 0, 9),
    ],
    ['retention.deliveries', ['deliveries_pruned'], () => store.retention.deliveries(0, 9)],
    [
      'retention.runs',
      ['runs_succeeded', 'outbox_by_run'],
      () => store.retention.runs({ before: 5, count: CLOSED, fresh: 9 }, 0, 2),
    ],
    ['retention.deadCallbacks', ['outbox_dead'], () => store.retention.deadCallbacks(0, 9)],
    [
      'retention.snapshots',
      ['snapshots_by_time', 'runs_by_digest'],
      () => store.retention.snapshots(0, 9),
    ],
    ['retention.audit', ['audit_by_time'], () => store.retention.audit(0, 9)],
    [
      'pushes.hasFound',
      ['pushes_found', 'repositories_id'],
      () => store.pushes.hasFound('acme/storefront', 'refs/heads/main'),
    ],
    ['retention.pushes', ['pushes_by_time'], () => store.retention.pushes(0, 9)],
    ['inbox.waiting', ['deliveries_waiting'], () => store.inbox.waiting(5, 2000, 9)],
    ['inbox.store', [], () => store.accept({ ...SMALL, id: 'new' })],
    [
      'inbox.store of a copy',
      ['deliveries_by_digest'],
      async () => {
        await store.accept({ ...SMALL, id: 'original', digest: 'x' });
        await store.accept({ ...SMALL, id: 'copy', digest: 'x' });
      },
    ],
    ['runs.insert', [], () => store.runs.insert(sampleRun('new', { lane: 'new' }), ['Build'])],
  ];

  for (const [name, indexes, ask] of hot) {
    test(`${name} goes through no table`, async () => {
      const plans = await plansOf(ask);
      const scans = plans.filter((line) =>
        /^SCAN (?!CONSTANT ROW|.*USING (?:COVERING )?INDEX)/.test(line),
      );
      assert.deepEqual(scans, [], plans.join('\n'));
      // An index scan is a scan too, unless the index holds only what is open.
      const wide = plans.filter(
        (line) =>
          line.startsWith('SCAN') &&
          !/_(?:waiting|blocked|dead|failed|obsolete|open|due)$|^SCAN CONSTANT/.test(line),
      );
      assert.deepEqual(wide, [], plans.join('\n'));
      for (const index of indexes) {
        assert.ok(
          plans.some((line) => line.includes(index)),
          `${index} is not used:\n${plans.join('\n')}`,
        );
      }
    });
  }

  test('a list for a person is looked through a part at a time, and goes on where it stopped', async () => {
    const visible = ['acme/storefront'];
    // No callback is of a run that is there.
    const callbacks = await store.outbox.list(PAGE, { visible });
    assert.deepEqual(callbacks.items, []);
    const before = decodeCursor(callbacks.next ?? '');
    assert.ok(before < 20, `${before}`);
    assert.equal((await store.outbox.list({ ...PAGE, before }, { visible })).next, undefined);

    sqlite.exec(`insert into deliveries (seq, id, event, repository, payload, state, received_at)
      values (300000, 'far', 'push', 'acme/other', '{}', 'processed', 1)`);
    const { items, next } = await store.inbox.list(PAGE, { visible });
    assert.deepEqual([items, decodeCursor(next ?? '')], [[], 100_001]);
    const older = await store.inbox.list({ ...PAGE, before: 100_001 }, { visible });
    assert.equal(older.items.length, PAGE.limit);
    assert.equal((await store.inbox.list(PAGE)).items[0]?.id, 'far');
  });

  test('what is open is found behind all that is closed', async () => {
    assert.equal((await store.inbox.claim(10_000, 100))?.delivery.id, 'open');
    assert.equal((await store.runs.nextRunnable(10_000))?.id, 'open');
    assert.equal((await store.outbox.claim(10_000, 100, 8)).length, 1);
  });
});

const SMALL = {
  event: 'push',
  action: undefined,
  repository: 'acme/storefront',
  payload: '{}',
  receivedAt: 1,
};

/** Everything closed, then one open row in each table. */
function fill(sqlite: SQLite.Database): void {
  const delivery = sqlite.prepare(
    `insert into deliveries (id, event, repository, payload, state, received_at)
     values (?, 'push', 'acme/storefront', '{}', ?, 1)`,
  );
  const run = sqlite.prepare(
    `insert into runs (id, spec, spec_digest, repository, environment, lane, ref, sha, event, delivery, cause, state,
       reason, attempts, outputs, created_at, finished_at)
     values (?, 'storefront', '', 'acme/storefront', 'production', 'main', '', '', 'push', ?, 'event', ?, '', 0, '{}', 1, ?)`,
  );
  const callback = sqlite.prepare(
    `insert into outbox (run_id, target, callback, state, attempts, next_attempt_at, lease_until, created_at)
     values ('r', 'target', '{"kind":"status"}', ?, 0, 1, 0, 1)`,
  );
  sqlite.transaction(() => {
    for (let index = 0; index <= CLOSED; index += 1) {
      const open = index === CLOSED;
      const id = open ? 'open' : `closed${index}`;
      delivery.run(id, open ? 'pending' : 'processed');
      run.run(id, id, open ? 'queued' : 'succeeded', open ? null : 1);
      callback.run(open ? 'pending' : 'sent');
    }
  })();
}
