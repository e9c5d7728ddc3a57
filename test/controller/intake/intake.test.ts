import assert from 'node:assert/strict';
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import SQLite from 'better-sqlite3';
import { createIntake } from '../../../src/controller/intake/intake.ts';
import { pushPayload } from '../../../src/controller/push-payload.ts';
import { createResolve, type Resolve } from '../../../src/controller/intake/resolve.ts';
import { createBroadcast } from '../../../src/lib/broadcast.ts';
import { systemClock } from '../../../src/lib/clock.ts';
import { RetryableError } from '../../../src/lib/errors.ts';
import { noFailpoint, type Failpoint } from '../../../src/lib/failpoint.ts';
import type { DeploymentSpec } from '../../../src/model/deployment-spec.ts';
import type { News } from '../../../src/model/news.ts';
import { NO_COMMIT } from '../../../src/model/push-history.ts';
import { createOrdering } from '../../../src/runs/ordering/ordering.ts';
import { createTransitions } from '../../../src/runs/transition.ts';
import { openSqlite } from '../../../src/store/engine.ts';
import { createStore, type Store } from '../../../src/store/index.ts';
import { createFixture as createGit, silent } from '../../git/fixture.ts';
import { sampleLoaded } from '../../runs/samples.ts';
import { bothEngines } from '../../support/engines.ts';
import { recordLog } from '../../support/log.ts';
import { until } from '../../support/until.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
/** So often it fails before it is deferred. */
const TRIES = 8;
/** So often at the least it fails before it is given up. */
const MOST_TRIES = 300;

const push = (branches: string[], paths: string[]): DeploymentSpec['on'] => ({
  push: { branches, branchesIgnore: [], tags: [], tagsIgnore: [], paths, pathsIgnore: [] },
  release: undefined,
  workflowRun: undefined,
});

/** The store, where so many deliveries that no spec names come each time it is asked for some. */
function flooded(store: Store, flood: { size: number; repository: string }): Store {
  let came = 0;
  const idle = (number: number) => ({
    id: `idle-${number}`,
    event: 'push',
    action: undefined,
    repository: flood.repository,
    payload: JSON.stringify({ ...IDLE, repository: { full_name: flood.repository } }),
    receivedAt: 0,
  });
  async function waiting(...args: Parameters<Store['inbox']['waiting']>) {
    const more = Array.from({ length: flood.size }, () => idle(++came));
    if (more.length > 0) await store.inbox.store(more);
    return await store.inbox.waiting(...args);
  }
  return { ...store, inbox: { ...store.inbox, waiting } };
}

const IDLE = { ref: 'refs/heads/topic', before: 'a'.repeat(40), after: 'b'.repeat(40) };

/** The store, that fails to put back what is in `failing`, after its transaction has failed. */
function failingFor(store: Store, failing: Set<string>): Store {
  return {
    ...store,
    inbox: {
      ...store.inbox,
      async postpone(id, ...rest) {
        if (failing.delete(id)) throw new RetryableError('store-away', 'the database is away');
        await store.inbox.postpone(id, ...rest);
      },
    },
    async lazily(work) {
      if (failing.size > 0) throw new RetryableError('store-away', 'the database is away');
      return await store.lazily(work);
    },
  };
}

/** As git does: what takes too long ends with the signal. */
async function orAborted(work: Promise<void> | undefined, signal: AbortSignal): Promise<void> {
  if (work === undefined) return;
  const aborted = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(new Error('aborted')), { once: true });
  });
  await Promise.race([work, aborted]);
}

/** An intake on a real store and a real git server, and a clock that is set forward by the test. */
async function createFixture(
  t: TestContext,
  queue: 'newest' | 'all' = 'newest',
  failpoint: Failpoint = noFailpoint,
  gates: DeploymentSpec['gates'] = [],
  open?: (t: TestContext) => Promise<Store>,
  as = (store: Store) => store,
) {
  const { logger, log } = recordLog();
  const git = await createGit(t);
  const { repository, mirrors } = git;
  const own = () => createStore(openSqlite(join(git.root, 'mainsheet.db')));
  const store = as(await (open?.(t) ?? own()));
  const lane = { lane: 'main', queue, cancelRunning: false };
  const specs = [
    sampleLoaded({ name: 'paths', repository, concurrency: lane, on: push(['main'], ['src/**']) }),
    sampleLoaded({
      name: 'plain',
      repository,
      concurrency: { ...lane, lane: 'plain' },
      gates,
      on: push(['release/*'], []),
    }),
  ];
  let ahead = 0;
  const waits = { areLong: false };
  const clock = {
    ...systemClock,
    sleep: (ms: number, signal?: AbortSignal) =>
      systemClock.sleep(waits.areLong && ms < 1000 ? HOUR : ms, signal),
    now: () => Date.now() + ahead,
    elapsed: () => Date.now() + ahead,
  };
  const news = createBroadcast<News>();
  const unreadable = new Set<string>();
  const slow = new Map<string, Promise<void>>();
  const asked = createResolve({ mirrors, pushes: store.pushes, logger: silent });
  const resolve: Resolve = async (event, ...rest) => {
    if ('sha' in event && unreadable.has(event.sha ?? '')) {
      throw new RetryableError('git-failed', 'this one cannot be read');
    }
    if ('sha' in event) await orAborted(slow.get(event.sha ?? ''), rest[2]);
    return await asked(event, ...rest);
  };
  const failing = new Set<string>();
  const ancestry = { asked: 0 };
  const flood = { size: 0, repository: 'acme/other' };
  const intake = createIntake({
    whyNoPlan: () => 'no plans here',
    onPull: () => undefined,
    rollBack: () => assert.fail('nothing is rolled back here'),
    pressed: () => assert.fail('nothing is pressed here'),
    commented: () => assert.fail('nothing is commented here'),
    store: failingFor(flooded(store, flood), failing),
    catalog: {
      current: () => ({ specs, problems: [], stale: false, loadedAt: 1 }),
      forRepository: () => specs,
    } as never,
    mirrors,
    resolve,
    ordering: createOrdering({
      store,
      clock,
      mirrors: {
        ...mirrors,
        async isAncestor(...question) {
          ancestry.asked += 1;
          return await mirrors.isAncestor(...question);
        },
      },
    }),
    transitions: createTransitions({
      store,
      specOf: async () => sampleLoaded({ gates }).spec,
      clock,
      news,
      publicUrl: undefined,
      feedback: undefined,
    }),
    apiUrl: 'https://api.github.com',
    leaseMs: 30_000,
    clock,
    logger,
    news,
    failpoint,
  });
  const stopping = new AbortController();
  const running = intake.run(stopping.signal);
  const stop = async () => {
    stopping.abort();
    await running;
  };
  t.after(async () => {
    await stop();
    if (open === undefined) await store.close();
  });

  const get = async (id: string) => {
    const found = await store.inbox.get(id);
    assert.ok(found);
    return found.delivery;
  };
  /** Waits until it was tried so often, with the clock set forward each time. */
  async function tried(id: string, times: number): Promise<void> {
    await until(`${id} was tried ${times} times`, async () => {
      const { attempts, outcome } = await get(id);
      const waits = outcome?.summary.startsWith(`Trying again (attempt ${attempts}`) === true;
      if (attempts >= times && waits) return true;
      if (waits) ahead += 6 * MINUTE;
      intake.wake();
      return false;
    });
  }
  /** As if it had been tried so often by now. It has to wait, and is due afterwards, or in a while. */
  async function wear(id: string, times: number, inMs = 0): Promise<void> {
    const later = clock.now() + 1000 * HOUR;
    while ((await get(id)).attempts < times) {
      assert.equal((await store.inbox.claim(later, 1))?.delivery.id, id);
      await store.inbox.postpone(id, later, 'not by this intake');
    }
    await store.inbox.postpone(id, clock.now() + inMs, 'due', undefined, times >= TRIES);
  }
  return {
    ...git,
    store,
    log,
    unreadable,
    ancestry,
    stop,
    /** Deliveries that can be neither closed nor put back; each is taken out when that was tried. */
    failing,
    flood,
    /** Whether short waits last until they are ended. */
    waits,
    /** By commit: what git waits for until it can say something of it. */
    slow,
    tried,
    wear,
    get,
    /** Sets the clock forward until the delivery is so old, in milliseconds. */
    async age(id: string, ms: number) {
      ahead += (await get(id)).receivedAt + ms - clock.now();
    },
    /** `added`: the files that the payload names. */
    async deliver(
      id: string,
      branch: string,
      sha: string,
      of = repository,
      before = NO_COMMIT,
      added?: string[],
    ) {
      const ref = `refs/heads/${branch}`;
      const move = { repository: of, ref, before, after: sha, since: 0 };
      const person = { name: 'a', email: 'a@example.test', username: 'a' };
      const head = {
        message: id,
        committedAt: '2026-01-01T00:00:00Z',
        author: person,
        committer: person,
      };
      await store.accept({
        id,
        event: 'push',
        action: undefined,
        repository: of,
        payload: JSON.stringify({
          ...pushPayload(move, head, false),
          commits: added === undefined ? [] : [{ id: sha, added, modified: [], removed: [] }],
        }),
        receivedAt: clock.now(),
      });
      intake.wake();
    },
    /** Notes a push as a look does that found it. */
    async find(delivery: string, branch: string, after: string) {
      const ref = `refs/heads/${branch}`;
      const move = { repository, ref, before: NO_COMMIT, after, delivery };
      await store.pushes.record({ ...move, found: true, toldBy: undefined, seenAt: clock.now() });
      await store.branchHeads.see(repository, ref, { sha: after, pushSeq: 1, seenAt: 1 });
    },
    async done(id: string) {
      return await until(`${id} is done`, async () => {
        intake.wake();
        const delivery = await get(id);
        return delivery.state !== 'pending' && delivery;
      });
    },
    later() {
      ahead += 6 * MINUTE;
      intake.wake();
    },
    runs: async () =>
      (await store.runs.list({ limit: 99, before: undefined }, {})).items.toReversed(),
  };
}

/** Pushes `d1` to `d5` of one branch, that have all come when the one before them is taken in. */
async function pushTogether({
  deliver,
  commit,
  slow,
  get,
  done,
}: Pick<
  Awaited<ReturnType<typeof createFixture>>,
  'deliver' | 'commit' | 'slow' | 'get' | 'done'
>): Promise<string[]> {
  const shas = [await commit({ 'src/a': '0' }, 'release/1')];
  const git = Promise.withResolvers<void>();
  slow.set(shas[0] ?? '', git.promise);
  await deliver('d0', 'release/1', shas[0] ?? '');
  await until('the first waits for git', async () => (await get('d0')).attempts === 1);
  for (const number of [1, 2, 3, 4, 5]) {
    shas.push(await commit({ 'src/a': String(number) }, 'release/1'));
    const [before, after] = shas.slice(-2);
    await deliver(`d${number}`, 'release/1', after ?? '', undefined, before);
  }
  git.resolve();
  await done('d0');
  return shas;
}

test('the log names the run that a delivery has made, also one that waits at a gate', async (t) => {
  const gate = {
    kind: 'approve',
    from: [],
    count: 1,
    notAuthor: false,
    timeoutMs: undefined,
  } as const;
  const { commit, deliver, done, runs, log } = await createFixture(t, 'all', noFailpoint, [gate]);
  await deliver('d1', 'release/1', await commit({ 'src/a': '1' }, 'release/1'));
  await done('d1');
  const [run] = await runs();
  assert.equal(run?.state, 'blocked');
  const line = log.find(({ msg }) => msg === 'delivery processed');
  assert.deepEqual(line?.['runs'], [run.id]);
});

for (const [engine, open] of bothEngines()) {
  test(`pushes of a branch that wait are judged together, which asks the server once; the newest wins (${engine})`, async (t) => {
    const fixture = await createFixture(t, 'newest', noFailpoint, [], open);
    const { server, done, runs } = fixture;
    const fetches = () => server.requests.filter(({ line }) => line.includes('info/refs')).length;
    await pushTogether(fixture);
    await done('d5');
    assert.equal(fetches(), 2, 'of the one before them, and of all others');
    assert.equal(fixture.ancestry.asked, 0, 'the list of commits says what comes after what');
    const states = (await runs()).map(({ delivery, state }) => `${delivery} ${state}`);
    const older = ['d0', 'd1', 'd2', 'd3', 'd4'].map((id) => `${id} superseded`);
    assert.deepEqual(states, [...older, 'd5 queued']);
  });
}

test('after pushes that were judged together more of that repository are waited for, and no other repository is held up', async (t) => {
  const fixture = await createFixture(t);
  const { deliver, commit, done, get, waits } = fixture;
  waits.areLong = true;
  await pushTogether(fixture);
  await done('d5');
  await deliver('d6', 'release/1', await commit({ 'src/a': '6' }, 'release/1'));
  await deliver('e1', 'release/1', 'e'.repeat(40), 'acme/other');
  await done('e1');
  assert.equal((await get('d6')).attempts, 0);
});

test('a push that deploys does not wait until a flood of deliveries that no spec names is over', async (t) => {
  const { deliver, commit, done, flood } = await createFixture(t);
  flood.size = 300;
  await deliver('d1', 'release/1', await commit({ 'src/a': '1' }, 'release/1'));
  assert.equal((await done('d1')).state, 'processed');
  flood.size = 0;
});

test('of pushes that are taken in together one that fails takes no other with it, and those after it wait for it', async (t) => {
  const fixture = await createFixture(t, 'all');
  const { root, get, done, later, runs, tried } = fixture;
  const other = new SQLite(join(root, 'mainsheet.db'));
  t.after(() => other.close());
  other.exec(`create trigger planted before insert on runs when new.delivery = 'd3'
    begin select raise(abort, 'planted'); end`);
  await pushTogether(fixture);
  await tried('d3', 1);
  const states = ['d1', 'd2', 'd3', 'd4', 'd5'].map(async (id) => (await get(id)).state);
  const expected = ['processed', 'processed', 'pending', 'pending', 'pending'];
  assert.deepEqual(await Promise.all(states), expected);
  other.exec('drop trigger planted');
  later();
  await done('d5');
  assert.deepEqual(
    (await runs()).map(({ delivery }) => delivery),
    ['d0', 'd1', 'd2', 'd3', 'd4', 'd5'],
  );
});

test('a process that dies while it takes in pushes together leaves each with its run, or open', async (t) => {
  let passes = 0;
  const kept: string[] = [];
  const fixture = await createFixture(t, 'all', (name) => {
    // The third of those that are taken in together.
    if (name !== 'intake.inside' || ++passes !== 4) return;
    for (const file of ['mainsheet.db', 'mainsheet.db-wal']) {
      kept.push(join(fixture.root, `kept-${file}`));
      copyFileSync(join(fixture.root, file), kept.at(-1) ?? '');
    }
  });
  await pushTogether(fixture);
  await fixture.done('d5');
  const left = await createStore(openSqlite(kept[0] ?? ''));
  t.after(() => left.close());
  const processed: string[] = [];
  for (const id of ['d0', 'd1', 'd2', 'd3', 'd4', 'd5']) {
    const found = await left.inbox.get(id);
    if (found?.delivery.state === 'processed') processed.push(id);
  }
  assert.ok(processed.includes('d0') && !processed.includes('d3'), processed.join());
  const { items } = await left.runs.list({ limit: 99, before: undefined }, {});
  assert.deepEqual(
    items.toReversed().map(({ delivery }) => delivery),
    processed,
  );
});

test('pushes that wait while git refuses to say anything have their runs, which will say why', async (t) => {
  const fixture = await createFixture(t, 'all');
  const { server, done, runs } = fixture;
  server.fault = () => ({ kind: 'status', status: 404 });
  await pushTogether(fixture);
  await done('d5');
  assert.equal((await runs()).length, 6);
});

test('while git fails for a moment the order of a repository is kept', async (t) => {
  const { deliver, commit, server, tried, get, done, later, runs } = await createFixture(t);
  const one = await commit({ 'src/a': '1' });
  server.fault = () => ({ kind: 'status', status: 503 });
  await deliver('d1', 'main', one);
  await deliver('d2', 'release/1', one);
  await tried('d1', TRIES - 1);
  assert.deepEqual([(await get('d2')).state, (await get('d2')).attempts], ['pending', 0]);
  server.fault = undefined;
  later();
  await done('d2');
  assert.deepEqual(
    (await runs()).map(({ delivery }) => delivery),
    ['d1', 'd2'],
  );
});

test('a delivery that waits for git holds up those of its repository and no other', async (t) => {
  const { deliver, commit, slow, get, done, runs } = await createFixture(t);
  const one = await commit({ 'src/a': '1' });
  const git = Promise.withResolvers<void>();
  slow.set(one, git.promise);
  await deliver('d1', 'main', one);
  await deliver('d2', 'release/1', await commit({ 'src/a': '2' }, 'release/1'));
  await deliver('d3', 'release/1', 'c'.repeat(40), 'acme/other');
  await deliver('d4', 'release/1', 'd'.repeat(40), 'acme/another');
  await done('d4');
  const waiting = [await get('d1'), await get('d2')];
  assert.deepEqual(
    waiting.map(({ state, attempts }) => [state, attempts]),
    [
      ['pending', 1],
      ['pending', 0],
    ],
  );
  git.resolve();
  await done('d2');
  assert.deepEqual(
    (await runs()).map(({ delivery }) => delivery),
    ['d1', 'd2'],
    'in their order; for the other repositories there is no spec',
  );
});

test('what no spec names is closed while an earlier delivery of its repository waits for git, also one that another process committed late', async (t) => {
  // As on PostgreSQL, where there may be several.
  const shared = (store: Store): Store => ({ ...store, engine: 'postgres' });
  const { deliver, commit, slow, get, done, later, root } = await createFixture(
    t,
    'newest',
    noFailpoint,
    [],
    undefined,
    shared,
  );
  const one = await commit({ 'src/a': '1' });
  const git = Promise.withResolvers<void>();
  slow.set(one, git.promise);
  await deliver('d1', 'main', one);
  await deliver('d2', 'topic', await commit({ 'src/a': '2' }, 'topic'));
  const { state, outcome } = await done('d2');
  assert.equal(state, 'processed');
  assert.match(outcome?.summary ?? '', /^Not deployed: topic matches none of main/);
  assert.deepEqual(
    outcome?.specs.map(({ spec, verdict }) => [spec, verdict.matched]),
    [
      ['paths', false],
      ['plain', false],
    ],
  );

  const other = new SQLite(join(root, 'mainsheet.db'));
  t.after(() => other.close());
  // As if only now another process had committed it.
  other.exec("update deliveries set state = 'pending', attempts = 0 where id = 'd2'");
  later();
  await done('d2');
  assert.equal((await get('d1')).state, 'pending');
  git.resolve();
  await done('d1');
});

test('a push that was found while its own delivery was deferred is deployed once, although both are due', async (t) => {
  const { deliver, find, commit, slow, unreadable, tried, wear, get, done, later, runs } =
    await createFixture(t);
  const one = await commit({ 'src/a': '1' });
  unreadable.add(one);
  await deliver('github-1', 'main', one);
  await tried('github-1', 1);
  unreadable.delete(one);
  const git = Promise.withResolvers<void>();
  slow.set(one, git.promise);
  await wear('github-1', TRIES, 5 * MINUTE);
  await find('reconcile-1', 'main', one);
  await deliver('reconcile-1', 'main', one);
  await until('the found one waits for git', async () => (await get('reconcile-1')).attempts === 1);
  later();
  // Who came after both is done, so the one that is due again by now had its chance.
  await deliver('d3', 'release/1', 'c'.repeat(40), 'acme/other');
  await done('d3');
  assert.equal((await get('github-1')).attempts, TRIES);
  git.resolve();
  await done('reconcile-1');
  const { outcome } = await done('github-1');
  assert.deepEqual(
    (await runs()).map(({ delivery }) => delivery),
    ['reconcile-1'],
  );
  assert.equal(outcome?.summary, 'Not deployed again: delivery reconcile-1 told of this push');
});

test('when the store fails its delivery is left open, and after a pause those of other repositories go on', async (t) => {
  const { deliver, failing, get, done } = await createFixture(t);
  failing.add('d1');
  await deliver('d1', 'release/1', 'a'.repeat(40));
  await until('the store has failed', () => failing.size === 0);
  await deliver('d2', 'release/1', 'b'.repeat(40), 'acme/other');
  await done('d2');
  const { state, attempts } = await get('d1');
  assert.deepEqual([state, attempts], ['pending', 1], 'it waits for the end of its lease');
});

test('at a stop what waits for git is given back, so that it is worked on at once at the next start', async (t) => {
  const { deliver, commit, slow, get, store, stop } = await createFixture(t);
  const shas = [await commit({ 'src/a': '1' }), await commit({ 'src/a': '2' })];
  for (const sha of shas) slow.set(sha, new Promise(() => {}));
  await deliver('d1', 'main', shas[0] ?? '');
  await deliver('d2', 'main', shas[1] ?? '', 'acme/other');
  for (const id of ['d1', 'd2']) {
    await until(`${id} is worked on`, async () => (await get(id)).attempts === 1);
  }
  await stop();
  for (const id of ['d1', 'd2']) {
    assert.equal((await store.inbox.claim(Date.now(), 1000))?.delivery.id, id);
  }
});

test('a delivery that git cannot resolve for long is deferred and says so, and later ones go on', async (t) => {
  const { deliver, commit, unreadable, tried, get, done, later, runs } = await createFixture(t);
  const one = await commit({ 'src/a': '1' });
  unreadable.add(one);
  await deliver('d1', 'main', one);
  await deliver('d2', 'release/1', await commit({ 'src/a': '2' }, 'release/1'));
  await tried('d1', TRIES);
  assert.match((await done('d2')).outcome?.summary ?? '', /^Deploying plain/);
  const deferred = await get('d1');
  assert.equal(deferred.state, 'pending', 'nothing is lost');
  assert.match(
    deferred.outcome?.summary ?? '',
    /^Trying again \(attempt \d+ failed; later deliveries go on without it meanwhile\): this one cannot be read/,
  );
  unreadable.clear();
  later();
  assert.match((await done('d1')).outcome?.summary ?? '', /^Deploying paths/);
  assert.deepEqual(
    (await runs()).map(({ delivery }) => delivery),
    ['d2', 'd1'],
  );
});

test('when git is back what was deferred comes first again', async (t) => {
  const { deliver, commit, server, tried, done, runs } = await createFixture(t, 'all');
  const one = await commit({ 'src/a': '1' });
  server.fault = () => ({ kind: 'status', status: 503 });
  await deliver('d1', 'main', one);
  await tried('d1', TRIES);
  server.fault = undefined;
  await deliver('d2', 'main', await commit({ 'src/a': '2' }));
  await done('d2');
  await done('d1');
  assert.deepEqual(
    (await runs()).map(({ delivery, state }) => [delivery, state]),
    [
      ['d1', 'queued'],
      ['d2', 'queued'],
    ],
  );
});

test('what was deferred comes first also when what deploys is taken in behind a push that deploys nothing', async (t) => {
  const { deliver, commit, unreadable, tried, done, later, runs } = await createFixture(t, 'all');
  const one = await commit({ 'src/a': '1' });
  unreadable.add(one);
  await deliver('d1', 'main', one);
  await tried('d1', TRIES);
  unreadable.clear();
  const two = await commit({ 'docs/a': '2' });
  const three = await commit({ 'src/a': '3' });
  await Promise.all([
    deliver('d2', 'main', two, undefined, one, ['docs/a']),
    deliver('d3', 'main', three, undefined, two, ['src/a']),
  ]);
  await done('d3');
  later();
  await done('d1');
  assert.deepEqual(
    (await runs()).map(({ delivery }) => delivery),
    ['d1', 'd3'],
  );
});

test('what was deferred and was overtaken in its lane is superseded by what came after it', async (t) => {
  const { deliver, commit, git, unreadable, tried, done, later, runs } = await createFixture(t);
  // Neither contains the other, so that only the order of arrival tells which one is newer.
  const base = await git('rev-parse', 'HEAD');
  const one = await commit({ 'src/a': '1' }, 'release/1');
  unreadable.add(one);
  await deliver('d1', 'release/1', one);
  await tried('d1', TRIES);
  await git('reset', '--quiet', '--hard', base);
  const two = await commit({ 'src/b': '2' }, 'release/2');
  await deliver('d2', 'release/2', two);
  await done('d2');
  unreadable.clear();
  later();
  const { outcome } = await done('d1');
  const [run2, run1] = await runs();
  assert.deepEqual([run2?.delivery, run2?.state], ['d2', 'queued']);
  assert.equal(run1?.state, 'superseded');
  assert.equal(
    outcome?.summary,
    `Not deployed: Superseded by ${two.slice(0, 7)} (run ${run2?.id}), whose delivery came later but could be read sooner`,
  );
});

test('a push whose branch never has its commit is superseded in the end, takes no place of what waits, and does not count as told', async (t) => {
  const { deliver, commit, git, tried, age, get, done, store, runs } = await createFixture(t);
  const good = await commit({ 'src/a': '1' }, 'release/1');
  await deliver('d1', 'release/1', good);
  await done('d1');
  const strange = await git('commit-tree', '-p', good, '-m', 'fork', 'HEAD^{tree}');
  await git('push', '--quiet', 'origin', `${strange}:refs/pull/9/head`);
  await deliver('d2', 'release/1', strange);
  await tried('d2', 1);
  assert.equal((await get('d2')).state, 'pending');
  await age('d2', 5 * MINUTE);
  const { outcome } = await done('d2');
  const [late, now] = [strange.slice(0, 7), good.slice(0, 7)];
  const why = `Superseded: ${late} is not on the branch release/1, which is at ${now}`;
  assert.equal(outcome?.summary, `Not deployed: ${why}`);
  assert.deepEqual(
    (await runs()).map(({ delivery, state }) => [delivery, state]),
    [
      ['d1', 'queued'],
      ['d2', 'superseded'],
    ],
  );
  assert.equal(await store.pushes.before('d2'), undefined);
});

test('a branch that git does not show forced back for long does not count as forced back', async (t) => {
  const { deliver, commit, tried, age, done, store, repository } = await createFixture(t);
  const first = await commit({ 'src/a': '1' }, 'release/1');
  const second = await commit({ 'src/a': '2' }, 'release/1');
  await deliver('d1', 'release/1', second, repository, first);
  await done('d1');
  await deliver('d2', 'release/1', first, repository, second);
  await tried('d2', 1);
  await age('d2', 5 * MINUTE);
  await done('d2');
  assert.equal(await store.pushes.before('d2'), undefined);
});

test('a commit that its branch was forced back to is deployed although the branch has moved on since, with what no spec deploys', async (t) => {
  const { deliver, commit, git, done, runs } = await createFixture(t);
  const one = await commit({ 'src/a': '1' });
  const two = await commit({ 'src/a': '2' });
  await deliver('d1', 'main', two, undefined, one, ['src/a']);
  await done('d1');
  await git('reset', '--quiet', '--hard', one);
  await git('push', '--quiet', '--force', 'origin', `${one}:refs/heads/main`);
  const docs = await commit({ 'docs/a': '3' });
  await deliver('d2', 'main', one, undefined, two);
  await deliver('d3', 'main', docs, undefined, one, ['docs/a']);
  await done('d3');
  assert.deepEqual(
    (await runs()).map(({ delivery, state }) => [delivery, state]),
    [
      ['d1', 'superseded'],
      ['d2', 'queued'],
    ],
  );
});

test('a delivery that cannot be read is not given up within a day, however often it was tried', async (t) => {
  const { deliver, commit, unreadable, tried, wear, age, get, done, later } =
    await createFixture(t);
  const one = await commit({ 'src/a': '1' });
  unreadable.add(one);
  await deliver('d1', 'main', one);
  await tried('d1', 1);
  await age('d1', 24 * HOUR - MINUTE);
  await wear('d1', 2 * MOST_TRIES);
  await tried('d1', 2 * MOST_TRIES + 1);
  assert.equal((await get('d1')).state, 'pending');

  later();
  const { state, outcome } = await done('d1');
  assert.equal(state, 'failed');
  assert.equal(outcome?.summary, 'Not deployed: this one cannot be read');
});

test('nor after a day before it was tried often enough, and it is deployed when it can be read in time', async (t) => {
  const { deliver, commit, unreadable, tried, wear, age, get, done, later, runs } =
    await createFixture(t);
  const lost = await commit({ 'src/a': '1' });
  const found = await commit({ 'src/a': '2' });
  unreadable.add(lost).add(found);
  for (const [id, sha] of [
    ['d1', lost],
    ['d2', found],
  ] as const) {
    await deliver(id, 'main', sha);
    await tried(id, 1);
    await age(id, 48 * HOUR);
    await wear(id, MOST_TRIES - 2);
    await tried(id, MOST_TRIES - 1);
    assert.equal((await get(id)).state, 'pending');
    if (id === 'd2') unreadable.delete(sha);
    later();
    await done(id);
  }
  assert.deepEqual([(await get('d1')).state, (await get('d1')).attempts], ['failed', MOST_TRIES]);
  assert.deepEqual(
    [(await get('d2')).state, (await get('d2')).attempts],
    ['processed', MOST_TRIES],
  );
  assert.deepEqual(
    (await runs()).map(({ delivery }) => delivery),
    ['d2'],
  );
});

for (const status of [401, 403, 404]) {
  test(`a repository that cannot be read (${status}) holds nothing up: it is no passing trouble`, async (t) => {
    const { deliver, commit, server, done, runs } = await createFixture(t);
    const one = await commit({ 'src/a': '1' });
    server.fault = () => ({ kind: 'status', status });
    await deliver('d1', 'main', one);
    await deliver('d2', 'release/1', one);
    const first = await done('d1');
    assert.equal(first.attempts, 1);
    // The run cannot check anything out either, and GitHub hears why.
    assert.match(JSON.stringify(first.outcome), /changed files are not known/);
    await done('d2');
    assert.equal((await runs()).length, 2);
  });
}

for (const status of [401, 403, 404]) {
  test(`a push is not lost when git refuses (${status}) to compare it with the run that waits`, async (t) => {
    const { deliver, commit, server, done, runs } = await createFixture(t);
    const one = await commit({ 'src/a': '1' });
    const two = await commit({ 'src/a': '2' });
    server.fault = () => ({ kind: 'status', status });
    await deliver('d1', 'main', one);
    await done('d1');
    await deliver('d2', 'main', two);
    assert.equal((await done('d2')).state, 'processed');
    assert.deepEqual(
      (await runs()).map(({ delivery, state }) => [delivery, state]),
      [
        ['d1', 'superseded'],
        ['d2', 'queued'],
      ],
    );
  });
}

test('what GitHub tells of an installation is kept in the transaction that closes the delivery', async (t) => {
  const { store, done } = await createFixture(t);
  const payload = {
    action: 'created',
    installation: { id: 7 },
    repositories: [{ id: 1, full_name: 'acme/storefront' }],
  };
  await store.accept({
    id: 'i1',
    event: 'installation',
    action: 'created',
    repository: undefined,
    payload: JSON.stringify(payload),
    receivedAt: 1,
  });
  assert.equal((await done('i1')).outcome?.summary, 'An installation of the App: added');
  assert.equal(await store.installations.stateOf('acme/storefront'), 'installed');
});
