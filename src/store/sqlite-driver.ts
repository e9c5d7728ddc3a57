import {
  CompiledQuery,
  SqliteAdapter,
  SqliteDialect,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type QueryResult,
  type SqliteDatabase,
} from 'kysely';
import { backoffDelay } from '../lib/backoff.ts';
import type { Clock } from '../lib/clock.ts';
import { isBusy } from './sqlite-guard.ts';
import { isLarge, type Writer } from './writer.ts';

/** https://www.sqlite.org/lang_transaction.html#immediate */
const BEGIN = CompiledQuery.raw('begin immediate');
const BACKOFF = { baseMs: 5, maxMs: 100 };

/** How long a statement waits while another program holds the database, in milliseconds, and by which clock. */
export interface Patience {
  clock: Clock;
  patienceMs: number;
}

/** The transaction under way: in which connection, and when it is over. */
interface Transaction {
  owner: DatabaseConnection;
  over: Promise<void>;
  finish: () => void;
}

/**
 * SQLite on one connection, where no wait for another program blocks the event loop: what finds the database held is tried
 * again a moment later, and meanwhile everything else has its turn. A transaction takes the right to write before it does
 * anything, so only its begin has to wait. What comes from outside of it waits until it is over.
 */
export function sqliteDialect(
  database: SqliteDatabase,
  writer: Writer,
  patience: Patience,
): Dialect {
  const dialect = new SqliteDialect({ database });
  return {
    createDriver: () => createDriver(dialect.createDriver(), writer, patience),
    createAdapter: () => new SharedConnectionAdapter(),
    createQueryCompiler: () => dialect.createQueryCompiler(),
    createIntrospector: (db) => dialect.createIntrospector(db),
  };
}

/** Kysely would let one after the other have the connection, and all would wait behind the one that waits for the lock. */
class SharedConnectionAdapter extends SqliteAdapter {
  override get supportsMultipleConnections(): boolean {
    return true;
  }
}

function createDriver(driver: Driver, writer: Writer, { clock, patienceMs }: Patience): Driver {
  let transaction: Transaction | undefined;

  /** Does `statement`, which needs no turn of the event loop, when neither a transaction of another nor another program is in the way. */
  async function inTurn<Result>(
    owner: DatabaseConnection,
    statement: () => Promise<Result>,
  ): Promise<Result> {
    const until = clock.elapsed() + patienceMs;
    for (let attempt = 1; ; attempt += 1) {
      for (let other = before(owner); other !== undefined; other = before(owner)) await other.over;
      try {
        return await statement();
      } catch (error) {
        const delay = backoffDelay(attempt, BACKOFF);
        if (!isBusy(error) || clock.elapsed() + delay > until) throw error;
        await clock.sleep(delay);
      }
    }
  }

  /** The transaction that `owner` has to wait for. */
  function before(owner: DatabaseConnection): Transaction | undefined {
    return transaction?.owner === owner ? undefined : transaction;
  }

  function begin(owner: DatabaseConnection): void {
    const { promise: over, resolve: finish } = Promise.withResolvers<void>();
    transaction = { owner, over, finish };
  }

  function end(owner: DatabaseConnection): void {
    if (transaction?.owner !== owner) return;
    const { finish } = transaction;
    transaction = undefined;
    finish();
  }

  /** Does what is large beside the event loop. It is a transaction of its own, for which others wait as for any. */
  function elsewhere<Row>(query: CompiledQuery, owner: DatabaseConnection) {
    return inTurn(owner, async (): Promise<QueryResult<Row>> => {
      begin(owner);
      try {
        return { rows: (await writer.execute(query)) as Row[] };
      } finally {
        end(owner);
      }
    });
  }

  return {
    init: (options) => driver.init(options),
    async acquireConnection() {
      const connection = await driver.acquireConnection();
      const own: DatabaseConnection = {
        executeQuery: (query) =>
          isLarge(query) && transaction?.owner !== own
            ? elsewhere(query, own)
            : inTurn(own, () => connection.executeQuery(query)),
        streamQuery: (query, chunkSize) => connection.streamQuery(query, chunkSize),
      };
      return own;
    },
    async beginTransaction(owner) {
      const connection = await driver.acquireConnection();
      await inTurn(owner, async () => {
        const begun = connection.executeQuery(BEGIN);
        begin(owner);
        try {
          await begun;
        } catch (error) {
          end(owner);
          throw error;
        }
      });
    },
    commitTransaction: (owner) => driver.commitTransaction(owner),
    rollbackTransaction: (owner) => driver.rollbackTransaction(owner),
    releaseConnection: async (owner) => end(owner),
    async destroy(options) {
      await writer.close();
      await driver.destroy(options);
    },
  };
}
