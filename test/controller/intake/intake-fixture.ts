import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext } from 'node:test';
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
import { recordLog } from '../../support/log.ts';
import { until } from '../../support/until.ts';

export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
/** So often it fails before it is deferred. */
export const TRIES = 8;
/** So often at the least it fails before it is given up. */
export const MOST_TRIES = 300;

export const push = (branches: string[], paths: string[]): DeploymentSpec['on'] => ({
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
export async function createFixture(
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
export async function pushTogether({
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
