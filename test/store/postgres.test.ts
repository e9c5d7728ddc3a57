import assert from 'node:assert/strict';
import { after, before, test, type TestContext } from 'node:test';
import { sql } from 'kysely';
import { pino } from 'pino';
import { createBudget } from '../../src/github/budget.ts';
import { createBroadcast } from '../../src/lib/broadcast.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { RetryableError } from '../../src/lib/errors.ts';
import { IMPORTANCE } from '../../src/model/importance.ts';
import { STORE_TIMEOUT_MS } from '../../src/runs/pipeline-context.ts';
import { migrate, MIGRATIONS, type SchemaChange } from '../../src/store/migrations.ts';
import { openPostgres } from '../../src/store/postgres.ts';
import { createRelay } from '../../src/store/relay.ts';
import { createStore, type Store } from '../../src/store/index.ts';
import { startPostgres, usePostgres, type Databases } from '../support/postgres.ts';
import { until } from '../support/until.ts';
import { storeContract } from './contract.ts';
import { sampleDelivery, sampleRun, sampleStatus } from './samples.ts';
import { audited } from '../support/audited.ts';

let server: Databases;

before(async () => {
  server = await usePostgres();
});

after(async () => {
  await server.remove();
});

storeContract('PostgreSQL', () => server.store());

const isAway = (error: unknown) => error instanceof RetryableError && error.code === 'store-away';

/** Two processes' stores on one database. */
async function two(t: TestContext): Promise<[Store, Store]> {
  const url = await server.database();
  const first = await createStore(openPostgres(url));
  const second = await createStore(openPostgres(url));
  t.after(() => Promise.all([first.close(), second.close()]));
  return [first, second];
}

test('processes that start at once on an empty database all bring it up to date', async (t) => {
  const url = await server.database();
  const stores = await Promise.all(Array.from({ length: 5 }, () => createStore(openPostgres(url))));
  t.after(() => Promise.all(stores.map((store) => store.close())));
  for (const [index, store] of stores.entries()) {
    assert.equal(await store.accept(sampleDelivery('d1')), index === 0);
  }
});

test('a commit waits for the disk whatever the server is set to, and for more where it says so (G1)', async (t) => {
  for (const [said, used] of [
    ['off', 'on'],
    ['local', 'local'],
    ['on', 'on'],
    ['remote_apply', 'remote_apply'],
  ]) {
    const url = await server.database();
    const name = new URL(url).pathname.slice(1);
    await server.query(`alter database ${name} set synchronous_commit = ${said}`);
    const db = openPostgres(url);
    t.after(() => db.destroy());
    const { rows } = await sql<Record<string, string>>`show synchronous_commit`.execute(db);
    assert.deepEqual(rows, [{ synchronous_commit: used }]);
  }
});

test('a delivery is flushed when it is accepted, and what did not wait for that when it is waited for (G1)', async (t) => {
  const db = openPostgres(await server.database());
  const store = await createStore(db);
  t.after(() => store.close());
  const ask = async (what: string) => {
    const { rows } = await sql<{
      answer: string;
    }>`select (${sql.raw(what)})::text as answer`.execute(db);
    return rows[0]?.answer;
  };
  const committed = () => ask('pg_current_wal_insert_lsn()');
  const isFlushed = async (is: '>' | '>=', place: string | undefined) =>
    (await ask(`pg_current_wal_flush_lsn() ${is} '${place}'`)) === 'true';
  const late: string[] = [];
  // Often: the server flushes by itself a few times a second, and would hide a wait that is missing.
  for (let n = 0; n < 10; n += 1) {
    const before = await committed();
    await store.accept(sampleDelivery(`d${n}`));
    if (!(await isFlushed('>', before))) late.push(`accept ${n}`);
    await store.lazily(({ outbox }) =>
      outbox.add('r1', [{ target: `t${n}`, callback: sampleStatus('pending') }], 0),
    );
    const place = await committed();
    await store.flushed();
    if (!(await isFlushed('>=', place))) late.push(`flushed ${n}`);
  }
  assert.deepEqual(late, []);
});

test('why a server cannot be used is said with what to do about that', async (t) => {
  const server = await startPostgres();
  t.after(() => server.remove());
  await server.query('create role stranger login');
  const url = await server.database();
  const opened = async (change: (url: URL) => void) => {
    const changed = new URL(url);
    change(changed);
    const db = openPostgres(changed.href);
    try {
      await createStore(db);
    } finally {
      await db.destroy();
    }
  };
  const hints: [string, (url: URL) => void, RegExp][] = [
    ['no such database', (one) => (one.pathname = '/nosuch'), /createdb/],
    ['no such user', (one) => (one.username = 'nosuch'), /check the user and the password/],
    ['no right', (one) => (one.username = 'stranger'), /the right CREATE on the schema/],
    [
      'away',
      (one) => one.searchParams.set('host', '/nonexistent'),
      /see that the PostgreSQL server .* runs/,
    ],
  ];
  for (const [what, change, hint] of hints) await assert.rejects(opened(change), { hint }, what);
});

test('a server that was restarted is used again, and meanwhile says that it may be tried again', async (t) => {
  const own = await startPostgres();
  t.after(() => own.remove());
  const lost: string[] = [];
  const store = await createStore(
    openPostgres(await own.database(), (reason) => lost.push(reason)),
  );
  t.after(() => store.close());
  await Promise.all([store.ping(), store.ping(), store.ping()]);
  await own.stop();
  await until('the idle connections are gone', () => lost.length === 3);
  await assert.rejects(store.accept(sampleDelivery('d1')), RetryableError);
  await assert.rejects(
    store.atomically(({ inbox }) => inbox.countPending()),
    RetryableError,
  );
  await own.start();
  assert.equal(await store.accept(sampleDelivery('d1')), true);
  await store.ping();
});

test('a server that may only be read fails its ping and what is to be stored, until it may be written again', async (t) => {
  const own = await startPostgres();
  t.after(() => own.remove());
  const store = await createStore(openPostgres(await own.database()));
  t.after(() => store.close());
  await own.query('alter system set default_transaction_read_only = on');
  await own.query('select pg_reload_conf()');
  await until('nothing can be stored', async () => {
    const refused = await store.accept(sampleDelivery('d1')).catch((error: unknown) => error);
    return isAway(refused);
  });
  await until('the ping fails', async () => isAway(await store.ping().catch((error) => error)));
  await own.query('alter system reset default_transaction_read_only');
  await own.query('select pg_reload_conf()');
  await until('it can be stored', () => store.accept(sampleDelivery('d2')).catch(() => false));
  await until('the ping succeeds', () =>
    store.ping().then(
      () => true,
      () => false,
    ),
  );
});

test('a server that is restarted in the middle of a transaction leaves nothing of it', async (t) => {
  const own = await startPostgres();
  t.after(() => own.remove());
  const store = await createStore(openPostgres(await own.database()));
  t.after(() => store.close());
  await assert.rejects(
    store.atomically(async ({ runs, inbox }) => {
      await runs.insert(sampleRun('r1'), ['Build']);
      await own.stop();
      await inbox.countPending();
    }),
    RetryableError,
  );
  await own.start();
  assert.equal(await store.runs.get('r1'), undefined);
});

test('a lock that another process holds for too long may be waited for once more, and nothing is done twice', async (t) => {
  const url = await server.database();
  const first = await createStore(openPostgres(url));
  const second = await createStore(openPostgres(`${url}&lock_timeout=100`));
  t.after(() => Promise.all([first.close(), second.close()]));
  await first.runs.insert(sampleRun('r1'), ['Build']);
  const [step] = await first.steps.ofRun('r1');
  assert.ok(step);
  const running = { ...step, state: 'running' as const, attempts: 1 };
  const both = () =>
    second.atomically(async (tables) => {
      await tables.audit.record({ at: 1, actor: 'a', action: 'x', subject: 'x', detail: '' });
      await tables.steps.update('r1', running);
    });
  await first.atomically(async (tables) => {
    await tables.steps.update('r1', step);
    await assert.rejects(second.steps.update('r1', running), isAway);
    await assert.rejects(both(), isAway);
  });
  await both();
  assert.equal((await audited(first, 10)).length, 1, 'what was refused has left nothing');
  assert.equal((await first.steps.ofRun('r1'))[0]?.state, 'running');
});

test('a group does not wait for a row that another transaction holds: what finds none goes ahead', async (t) => {
  const [first, second] = await two(t);
  await first.runs.insert(sampleRun('r1'), ['Build']);
  const [step] = await first.steps.ofRun('r1');
  assert.ok(step);
  const said = { at: 1, actor: 'a', action: 'x', subject: 'x', detail: '' };
  const group = await first.atomically(async (tables) => {
    await tables.steps.update('r1', step);
    const ended = second.each<unknown>([
      ({ audit }) => audit.record(said),
      ({ steps }) => steps.update('r1', { ...step, state: 'running', attempts: 1 }),
    ]);
    // Long before a lock is waited for in vain.
    const isThere = async () => (await audited(second, 10)).length === 1;
    await until('what finds none is done', isThere, 5000);
    return { ended };
  });
  const results = await group.ended;
  assert.deepEqual(
    results.map(({ status }) => status),
    ['fulfilled', 'fulfilled'],
  );
  assert.equal((await first.steps.ofRun('r1'))[0]?.state, 'running');
  assert.equal((await audited(first, 10)).length, 1);
});

test('whatever another transaction was in the way of may be tried again, on the same connection', async (t) => {
  const db = openPostgres(await server.database());
  t.after(() => db.destroy());
  const process = async () =>
    (await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(db)).rows[0]?.pid;
  const before = await process();
  for (const code of ['40001', '40P01', '55P03', '57014', '25P03']) {
    const raised = sql.raw(`do $$ begin raise exception 'no' using errcode = '${code}'; end $$`);
    await assert.rejects(raised.execute(db), isAway, code);
  }
  assert.equal(await process(), before);
  const other = sql.raw(`do $$ begin raise exception 'no' using errcode = '23505'; end $$`);
  await assert.rejects(other.execute(db), (error) => !(error instanceof RetryableError));
});

test('the locks of a process that hangs go before a run gives up on the store', async (t) => {
  const url = await server.database();
  const db = openPostgres(url);
  const hasty = openPostgres(`${url}&idle_in_transaction_session_timeout=50`);
  t.after(() => Promise.all([db.destroy(), hasty.destroy()]));
  const { rows } = await sql<{ ms: number }>`
    select setting::int as ms from pg_settings where name = 'idle_in_transaction_session_timeout'`.execute(
    db,
  );
  const { ms = 0 } = rows[0] ?? {};
  assert.ok(ms > 0 && ms < STORE_TIMEOUT_MS, `${ms} ms`);
  const hung = hasty.transaction().execute(async (trx) => {
    const own = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(trx);
    await until('the server ends it', async () => {
      const found = await sql`
        select 1 from pg_stat_activity where pid = ${own.rows[0]?.pid ?? 0}`.execute(db);
      return found.rows.length === 0;
    });
    await sql`select 1`.execute(trx);
  });
  await assert.rejects(hung, isAway);
});

test('U+0000 in any text is replaced and not refused', async (t) => {
  const [store] = await two(t);
  assert.equal(await store.accept(sampleDelivery('d1', { action: 'a\0b' })), true);
  assert.equal((await store.inbox.get('d1'))?.delivery.action, 'a\uFFFDb');
});

test('a process that makes a run in a lane waits for the one that is making one, and takes no run up meanwhile', async (t) => {
  const [first, second] = await two(t);
  await first.runs.insert(sampleRun('r1', { lane: 'main' }), []);
  await first.runs.insert(sampleRun('r2', { lane: 'other' }), []);
  const order: string[] = [];
  let waiting: Promise<void> | undefined;
  await first.atomically(async ({ runs }) => {
    await runs.lockLane('main');
    waiting = second.atomically(async (tables) => {
      await tables.runs.lockLane('main');
      order.push('second');
    });
    // Not held up, and not given what is being changed: the other lane's run.
    assert.equal((await second.runs.nextRunnable(2000))?.id, 'r2');
    order.push('first');
  });
  await waiting;
  assert.deepEqual(order, ['first', 'second']);
  assert.equal((await second.runs.nextRunnable(2000))?.id, 'r1');
});

const MOVE = { before: 'zero', after: 'abc', found: false, toldBy: undefined };

test('of two deliveries of one push that are recorded at once the later one knows of the other', async (t) => {
  const [first, second] = await two(t);
  const push = { repository: 'Acme/Shop', ref: 'refs/heads/main', ...MOVE };
  let waiting: Promise<string | undefined> | undefined;
  await first.atomically(async ({ pushes }) => {
    await pushes.lock(push.repository);
    waiting = second.atomically(async (tables) => {
      await tables.pushes.lock(push.repository.toLowerCase());
      const { pushes } = await tables.pushes.history(push.repository, push.ref);
      return pushes[0]?.delivery;
    });
    // The pushes of another repository do not wait.
    await second.atomically((tables) => tables.pushes.lock('acme/other'));
    await pushes.record({ ...push, delivery: 'd1', seenAt: 1000 });
  });
  assert.equal(await waiting, 'd1');
});

test('a run that waits in what is being paused or resumed is not taken up meanwhile', async (t) => {
  const [first, second] = await two(t);
  await first.runs.insert(sampleRun('r1', { spec: 'shop', lane: 'main' }), []);
  await first.runs.insert(sampleRun('r2', { spec: 'docs', lane: 'other' }), []);
  await first.atomically(async ({ runs }) => {
    const waiting = await runs.waitingIn({ kind: 'spec', name: 'shop' }, 'queued');
    assert.deepEqual(
      waiting.map(({ id }) => id),
      ['r1'],
    );
    const taken = await second.atomically((tables) => tables.runs.nextRunnable(2000));
    assert.equal(taken?.id, 'r2');
  });
  assert.equal((await second.runs.nextRunnable(2000))?.id, 'r1');
});

test('of one body that comes to two processes at the same moment under two ids one delivery is made', async (t) => {
  const stores = await two(t);
  for (let number = 0; number < 20; number += 1) {
    const digest = `body ${number}`;
    const answers = await Promise.all(
      stores.map((store, index) => store.accept(sampleDelivery(`${number}-${index}`, { digest }))),
    );
    assert.deepEqual(
      answers.map(Number).sort((a, b) => a - b),
      [0, 1],
    );
  }
  assert.equal(await stores[0].inbox.countPending(), 20);
});

test('two processes that claim at the same moment never get the same delivery, callback or run', async (t) => {
  const stores = await two(t);
  const [first] = stores;
  const ids = Array.from({ length: 40 }, (_, index) => `x${index}`);
  await Promise.all(
    ids.map((id) => first.accept(sampleDelivery(id, { repository: `acme/${id}` }))),
  );
  for (const id of ids) await first.runs.insert(sampleRun(id, { lane: id }), []);
  const callback = sampleStatus('pending');
  await first.outbox.add(
    'x0',
    ids.map((target) => ({ target, callback })),
    1000,
  );
  const taken = { deliveries: [] as string[], callbacks: [] as string[], runs: [] as string[] };
  async function work(store: Store, holder: string): Promise<void> {
    for (;;) {
      const claimed = await store.inbox.claim(2000, 1000);
      const entries = await store.outbox.claim(2000, 1000, 3);
      const run = await store.atomically(async ({ runs }) => {
        const found = await runs.nextRunnable(2000);
        if (found === undefined) return undefined;
        assert.equal(await runs.own(found.id, holder, 9000, 2000), true);
        const started = { ...found, state: 'running' as const };
        assert.equal(await runs.update(started, { state: found.state, holder }), true);
        return found;
      });
      if (claimed !== undefined) taken.deliveries.push(claimed.delivery.id);
      if (run !== undefined) taken.runs.push(run.id);
      taken.callbacks.push(...entries.map((entry) => entry.target));
      if (claimed === undefined && run === undefined && entries.length === 0) return;
    }
  }
  await Promise.all(
    stores.flatMap((store, index) => [work(store, `${index}a`), work(store, `${index}b`)]),
  );
  for (const names of Object.values(taken)) assert.deepEqual(names.sort(), ids.toSorted());
});

test('processes that write to GitHub at the same time have one budget (G10)', async (t) => {
  const [first, second] = await two(t);
  const budgets = [first, second].map((store) =>
    createBudget({
      clock: systemClock,
      limits: { perMinute: 20, perHour: 500 },
      shared: false,
      log: store.githubWrites,
    }),
  );
  const grants = await Promise.all(
    Array.from(
      { length: 60 },
      async (_, index) => await budgets[index % 2]?.take('acme', IMPORTANCE.final),
    ),
  );
  assert.equal(grants.filter((grant) => grant !== undefined).length, 20);
});

test('a change that an older replica cannot bear is refused while one is at work, and made when none is', async (t) => {
  const url = await server.database();
  const older = await createStore(openPostgres(url));
  t.after(() => older.close());
  const observer = openPostgres(url);
  t.after(() => observer.destroy());
  const listening = new AbortController();
  const relay = createRelay({
    url,
    news: createBroadcast(),
    clock: systemClock,
    logger: pino({ level: 'silent' }),
  });
  const relaying = relay.run(listening.signal);
  const start = async (changes: Record<string, SchemaChange>) => {
    const db = openPostgres(url);
    try {
      await migrate(db, { ...MIGRATIONS, ...changes });
    } finally {
      await db.destroy();
    }
  };
  const adds = { '9001-adds': { up: async () => undefined } };
  const breaks = { ...adds, '9002-breaks': { up: async () => undefined, breaks: true as const } };
  await start(adds);
  await until('the older one has said that it is at work', async () => {
    const { rows } = await sql`
      select pid from pg_stat_activity
      where datname = current_database() and application_name = 'mainsheet at work'`.execute(
      observer,
    );
    return rows.length > 0;
  });
  await assert.rejects(start(breaks), { code: 'older-at-work', message: /9002-breaks/ });
  listening.abort();
  await relaying;
  await start(breaks);
});
