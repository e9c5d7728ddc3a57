import { sql, type RawBuilder } from 'kysely';
import { createBroadcast, type Broadcast } from '../lib/broadcast.ts';
import { noFailpoint, type Failpoint } from '../lib/failpoint.ts';
import { createAudit } from './audit.ts';
import { barrierOf, type Barrier } from './barrier.ts';
import { createBatches } from './batches.ts';
import { createChains } from './chains.ts';
import { createDeployed } from './deployed.ts';
import { createCursors } from './cursors.ts';
import type { Engine } from './engine.ts';
import { createEnvironments } from './environments.ts';
import { createGates } from './gates.ts';
import { createGitHubWrites } from './github-writes.ts';
import { createGroupCommit, SEVERAL } from './group-commit.ts';
import { createDynamicHooks } from './hooks.ts';
import { createInbox, type IncomingDelivery } from './inbox.ts';
import { createLeases } from './leases.ts';
import { createLogs } from './logs.ts';
import { migrate } from './migrations.ts';
import { createOutbox } from './outbox.ts';
import { createPastDeliveries } from './past-deliveries.ts';
import { createInsights } from './insights.ts';
import { createInstallations } from './installations.ts';
import { createPlans } from './plans.ts';
import { createPreviews } from './previews.ts';
import { createPauses } from './pauses.ts';
import { createProbe } from './probe.ts';
import { createBranchHeads, createPushes } from './pushes.ts';
import { createRepositories, keepNames } from './repositories.ts';
import { createRetention } from './retention.ts';
import { createRuns } from './runs.ts';
import { createSessions } from './sessions.ts';
import { createSnapshots } from './snapshots.ts';
import { createSteps } from './steps.ts';
import { engineOf, type Db } from './query.ts';

/** Every table's operations, on one connection or inside one transaction. */
export type Tables = ReturnType<typeof createTables>;

/** The tables in which loops find what they are to do. */
export type WorkTable = 'inbox' | 'outbox' | 'plans' | 'previews';

/** What is to be done in a transaction, with the tables that it is given and no others. It may be done twice, when the first time was undone. */
export type Work<Result> = (tables: Tables) => Promise<Result>;

/** All that Mainsheet remembers. */
export interface Store extends Omit<Tables, 'repositories'>, ReturnType<typeof createOthers> {
  engine: Engine;
  /** Stores a delivery; resolves after its commit has reached the disk (G1), false for an id or a body that was there before. */
  accept(delivery: IncomingDelivery): Promise<boolean>;
  /**
   * Does everything in `work` or nothing of it; resolves after the commit has reached the disk. `work` must use only the
   * tables it is given.
   */
  atomically<Result>(work: Work<Result>): Promise<Result>;
  /** The same without waiting for the disk: for what is not heard of outside before `flushed`. */
  lazily<Result>(work: Work<Result>): Promise<Result>;
  /**
   * Tells of each table that this process has put work into, by whatever way but `accept`, once that is committed: a loop that is woken
   * earlier would find nothing. Of what it accepts the caller knows more.
   */
  filled: Pick<Broadcast<WorkTable>, 'subscribe'>;
  /** Resolves when all that was committed before, by whatever way, is on the disk. */
  flushed: Barrier;
  /**
   * Does each work or nothing of it: all in one transaction, or, when one fails or finds a row locked, each in one of its own, so
   * that one that fails takes no other with it. It waits for the disk no more than `lazily` does.
   */
  each<Result>(group: readonly Work<Result>[]): Promise<PromiseSettledResult<Result>[]>;
  /**
   * Does one work after the other in one transaction, each or nothing of it, until one fails or it has taken `enoughMs`: those after
   * that are not done. `failure`: why the first of them failed, if it did. Rejects when none is done because the transaction failed. It
   * waits for the disk no more than `lazily` does.
   */
  inOrder<Result>(
    group: readonly Work<Result>[],
    enoughMs: number,
  ): Promise<{ done: Result[]; failure?: { error: unknown } }>;
  /** Throws when the database does not answer, or what is written to it does not reach the disk. */
  ping(): Promise<void>;
  close(): Promise<void>;
}

const NOT_WAITING = sql`set local synchronous_commit = off`;
/** Shorter than PostgreSQL waits before it ends a deadlock: a group has rows in any order, and must not cost another its transaction. */
const GIVE_WAY = sql`set local lock_timeout = '100ms'`;

// https://www.sqlite.org/lang_savepoint.html and https://www.postgresql.org/docs/current/sql-savepoint.html
const SAVE = sql`savepoint one`;
const UNDO = sql`rollback to savepoint one`;
const KEEP = sql`release savepoint one`;

/** Brings the database up to date and opens the store on it. Takes `db` over: `close` closes it. */
export async function createStore(db: Db, failpoint: Failpoint = noFailpoint): Promise<Store> {
  await migrate(db);
  const engine = engineOf(db);
  const filled = createBroadcast<WorkTable>();
  const tables = createTables(db, filled.publish);
  const accepting = createInbox(db, () => undefined);
  const { flushed, committed, close } = barrierOf(db, engine);
  const probe = createProbe(db);

  async function inTransaction<Result>(
    work: (tables: Tables, trx: Db) => Promise<Result>,
    ...settings: RawBuilder<unknown>[]
  ): Promise<Result> {
    const noted = new Set<WorkTable>();
    const result = await db.transaction().execute(async (trx) => {
      if (engine === 'postgres') for (const setting of settings) await setting.execute(trx);
      return await work(
        createTables(trx, (table) => noted.add(table)),
        trx,
      );
    });
    for (const table of noted) filled.publish(table);
    return result;
  }

  async function lazily<Result>(work: Work<Result>): Promise<Result> {
    return await inTransaction(work, NOT_WAITING);
  }

  async function together<Result>(group: readonly Work<Result>[]) {
    const all = async (tables: Tables) => {
      const results: PromiseSettledResult<Result>[] = [];
      for (const work of group) results.push({ status: 'fulfilled', value: await work(tables) });
      return results;
    };
    return await inTransaction(all, NOT_WAITING, GIVE_WAY);
  }

  return {
    ...tables,
    ...createOthers(db),
    engine,
    flushed,
    filled,
    lazily,
    accept: createGroupCommit(
      async (group) => {
        failpoint('accept.before');
        return await accepting.store(group);
      },
      async () => {
        // On PostgreSQL the statement itself has waited.
        if (engine === 'sqlite') await committed();
        failpoint('accept.after');
      },
      // Of several connections the later one may be the first to number its rows.
      { underWay: engine === 'sqlite' ? SEVERAL : 1 },
    ),
    async each(group) {
      try {
        if (group.length > 1) return await together(group);
      } catch {
        // The one that failed will say why.
      }
      return await Promise.allSettled(group.map(lazily));
    },
    async inOrder<Result>(group: readonly Work<Result>[], enoughMs: number) {
      return await inTransaction(async (own, trx) => {
        const done: Result[] = [];
        const until = performance.now() + enoughMs;
        for (const work of group) {
          if (done.length > 0 && performance.now() >= until) break;
          // Later ones are not worth that others wait for what this transaction holds.
          if (done.length === 1 && engine === 'postgres') await GIVE_WAY.execute(trx);
          await SAVE.execute(trx);
          try {
            done.push(await work(own));
          } catch (error) {
            await UNDO.execute(trx);
            return { done, failure: { error } };
          }
          await KEEP.execute(trx);
        }
        return { done };
      }, NOT_WAITING);
    },
    async atomically(work) {
      if (engine === 'postgres') return await inTransaction(work);
      const result = await inTransaction(work);
      await flushed();
      return result;
    },
    async ping() {
      await probe();
      await flushed();
    },
    async close() {
      await db.destroy();
      close();
    },
  };
}

function createTables(db: Db, fill: (table: WorkTable) => void) {
  return {
    inbox: createInbox(db, () => fill('inbox')),
    runs: createRuns(db),
    steps: createSteps(db),
    outbox: createOutbox(db, () => fill('outbox')),
    leases: createLeases(db),
    logs: createLogs(db),
    environments: createEnvironments(db),
    snapshots: createSnapshots(db),
    audit: createAudit(db),
    cursors: createCursors(db),
    branchHeads: createBranchHeads(db),
    pushes: createPushes(db),
    repositories: createRepositories(db),
    pauses: createPauses(db),
    hooks: createDynamicHooks(db),
    installations: createInstallations(db),
    gates: createGates(db),
    chains: createChains(db),
    plans: createPlans(db, () => fill('plans')),
    previews: createPreviews(db, () => fill('previews')),
    batches: createBatches(db),
    sessions: createSessions(db),
  };
}

/** What is not done inside of another transaction. */
function createOthers(db: Db) {
  return {
    repositories: keepNames(createRepositories(db), engineOf(db) === 'postgres'),
    retention: createRetention(db),
    pastDeliveries: createPastDeliveries(db),
    deployed: createDeployed(db),
    insights: createInsights(db),
    githubWrites: createGitHubWrites(db),
  };
}
