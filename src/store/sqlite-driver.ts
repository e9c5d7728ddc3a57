import {
  CompiledQuery,
  SqliteAdapter,
  SqliteDialect,
  SqliteQueryCompiler,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type QueryResult,
  type SqliteDatabase,
} from 'kysely';
import { backoffDelay } from '../lib/backoff.ts';
import type { Clock } from '../lib/clock.ts';
import { isBusy } from './sqlite-guard.ts';
import { isLarge, type LargeQuery, type Writer } from './writer.ts';

/** https://www.sqlite.org/lang_transaction.html#immediate */
const BEGIN = CompiledQuery.raw('begin immediate');
const BACKOFF = { baseMs: 5, maxMs: 100 };

/** How long a statement waits while another program holds the database, in milliseconds, and by which clock. */
export interface Patience {
  clock: Clock;
  patienceMs: number;
}

/** The transaction under way: of which connection, which may be the writer's, and when it is over. */
interface Transaction {
  connection: object;
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
    createQueryCompiler: () => new SteadyQueryCompiler(),
    createIntrospector: (db) => dialect.createIntrospector(db),
  };
}

/**
 * A parameter alone that is compared with an indexed column makes SQLite prepare the statement again each time another value is
 * bound (https://www.sqlite.org/c3ref/prepare.html, `SQLITE_ENABLE_STAT4`), which takes ten times as long as running it. With a sign
 * before it, it is an expression, of which no value is looked at; the sign does nothing.
 */
export class SteadyQueryCompiler extends SqliteQueryCompiler {
  protected override getCurrentParameterPlaceholder(): string {
    return '+?';
  }
}

/** Kysely would let one after the other have the connection, and all would wait behind the one that waits for the lock. */
class SharedConnectionAdapter extends SqliteAdapter {
  override get supportsMultipleConnections(): boolean {
    return true;
  }
}

function createDriver(driver: Driver, writer: Writer, { clock, patienceMs }: Patience): Driver {
  let transaction: Transaction | undefined;
  /** What waits for the transaction under way. */
  let waiting = 0;
  /** Statements that the writer has. All that it is given in a row is one transaction to others. */
  let beside = 0;

  /** Does `statement`, which needs no turn of the event loop, when neither a transaction of another nor another program is in the way. */
  async function inTurn<Result>(
    connection: object,
    statement: () => Promise<Result>,
  ): Promise<Result> {
    const until = clock.elapsed() + patienceMs;
    for (let attempt = 1; ; attempt += 1) {
      for (let other = before(connection); other !== undefined; other = before(connection)) {
        waiting += 1;
        await other.over;
        waiting -= 1;
      }
      try {
        return await statement();
      } catch (error) {
        const delay = backoffDelay(attempt, BACKOFF);
        if (!isBusy(error) || clock.elapsed() + delay > until) throw error;
        await clock.sleep(delay);
      }
    }
  }

  /** The transaction that `connection` has to wait for. */
  function before(connection: object): Transaction | undefined {
    return transaction?.connection === connection ? undefined : transaction;
  }

  function begin(connection: object): void {
    const { promise: over, resolve: finish } = Promise.withResolvers<void>();
    transaction = { connection, over, finish };
  }

  function end(connection: object): void {
    if (transaction?.connection !== connection) return;
    const { finish } = transaction;
    transaction = undefined;
    finish();
  }

  /** Does what is large beside the event loop, after what the writer is at when nothing else waits for that. */
  function elsewhere<Row>(query: LargeQuery, connection: DatabaseConnection) {
    return inTurn(waiting === 0 ? writer : connection, async (): Promise<QueryResult<Row>> => {
      if (beside === 0) begin(writer);
      beside += 1;
      try {
        return { rows: (await writer.execute(query)) as Row[] };
      } finally {
        beside -= 1;
        if (beside === 0) end(writer);
      }
    });
  }

  return {
    init: (options) => driver.init(options),
    async acquireConnection() {
      const connection = await driver.acquireConnection();
      async function large<Row>(query: LargeQuery): Promise<QueryResult<Row>> {
        if (transaction?.connection !== own) return await elsewhere(query, own);
        const changes: number[] = [];
        for (const parameters of query.sets) {
          const { numAffectedRows } = await connection.executeQuery({ ...query, parameters });
          changes.push(Number(numAffectedRows));
        }
        return { rows: changes as Row[] };
      }
      const own: DatabaseConnection = {
        executeQuery: (query) =>
          isLarge(query) ? large(query) : inTurn(own, () => connection.executeQuery(query)),
        streamQuery: (query, chunkSize) => connection.streamQuery(query, chunkSize),
      };
      return own;
    },
    async beginTransaction(own) {
      const connection = await driver.acquireConnection();
      await inTurn(own, async () => {
        const begun = connection.executeQuery(BEGIN);
        begin(own);
        try {
          await begun;
        } catch (error) {
          end(own);
          throw error;
        }
      });
    },
    commitTransaction: (connection) => driver.commitTransaction(connection),
    rollbackTransaction: (connection) => driver.rollbackTransaction(connection),
    releaseConnection: async (connection) => end(connection),
    async destroy(options) {
      await writer.close();
      await driver.destroy(options);
    },
  };
}
