import { Kysely, PostgresDialect, type PostgresPool, type PostgresPoolClient } from 'kysely';
import { Pool, types, type ClientConfig, type PoolClient } from 'pg';
import { describeError, MainsheetError, RetryableError } from '../lib/errors.ts';
import type { Db, Row } from './query.ts';

/** Connections of one process at most, besides the one that listens. */
const MOST_CONNECTIONS = 10;
const CONNECT_TIMEOUT_MS = 5000;
/** What a statement, a wait for a lock and an idle transaction may take, in milliseconds; the server ends them then. */
const STATEMENT_TIMEOUT_MS = 30_000;
const LOCK_TIMEOUT_MS = 10_000;
/** Below a run's patience (20 s), so that it outlasts the locks of a replica that hangs. */
const IDLE_TRANSACTION_TIMEOUT_MS = 15_000;
/** For a server that does not answer at all, so later than its own timeouts. */
const QUERY_TIMEOUT_MS = 40_000;

/**
 * A server, a database or a role may be set not to wait for the disk: what was acknowledged could then be lost with the server
 * (G1). Settings that wait for more than its disk stay (https://www.postgresql.org/docs/current/runtime-config-wal.html).
 */
const DURABLE_COMMITS = `select set_config('synchronous_commit', 'on', false)
  where current_setting('synchronous_commit') = 'off'`;

/** The type of `bigint`: times and sequences, which all fit into a number. */
const INT8: number = types.builtins.INT8;

/**
 * Opens a pool of connections to PostgreSQL; none is made yet. TLS is as the URL says (`sslmode`, `sslrootcert`, …:
 * https://node-postgres.com/features/ssl). Connections that break are thrown away and made again when they are needed,
 * so a server that was restarted is used again. Statements throw RetryableError `store-away` while it cannot be reached, and
 * when others hold for too long what they need; a transaction is then undone.
 * `onLost` hears of idle connections that broke.
 */
export function openPostgres(url: string, onLost: (reason: string) => void = () => undefined): Db {
  const pool = new Pool({
    ...connectionConfig(url),
    max: MOST_CONNECTIONS,
    idleTimeoutMillis: 30_000,
    statement_timeout: STATEMENT_TIMEOUT_MS,
    lock_timeout: LOCK_TIMEOUT_MS,
    idle_in_transaction_session_timeout: IDLE_TRANSACTION_TIMEOUT_MS,
    query_timeout: QUERY_TIMEOUT_MS,
    // oxlint-disable-next-line typescript/no-misused-promises -- the pool waits for it, which its types do not say
    onConnect: async (client) => void (await client.query(DURABLE_COMMITS)),
    types: {
      getTypeParser: ((oid: number, format?: 'text' | 'binary') =>
        oid === INT8 && format !== 'binary'
          ? Number
          : types.getTypeParser(oid, format)) as typeof types.getTypeParser,
    },
  });
  // Without a listener an idle connection that breaks would end the process.
  pool.on('error', (error) => onLost(describeError(error)));
  return new Kysely<Record<string, Row>>({ dialect: new PostgresDialect({ pool: guarded(pool) }) });
}

/** How to reach the server, for the pool and for a connection of its own. What the URL says of the same wins. */
export function connectionConfig(url: string): ClientConfig {
  return {
    connectionString: url,
    application_name: 'mainsheet',
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
  };
}

/** Whether the error says that the server is not there, starts, stops, cannot write, or that the way to it broke. */
function isAway(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return AWAY_CODES.test(codeOf(error)) || AWAY_MESSAGES.test(error.message);
}

function codeOf(error: unknown): string {
  const isCoded = error instanceof Error && 'code' in error && typeof error.code === 'string';
  return isCoded ? String(error.code) : '';
}

/** https://www.postgresql.org/docs/current/errcodes-appendix.html: class 08, 57P01–57P03, class 53 (its disk or memory is full), 25006 (read-only),
 * 58030; and the system's own. */
const AWAY_CODES =
  /^(?:08...|57P0[1-3]|53[0-4]00|25006|58030|ECONNREFUSED|ECONNRESET|ENOENT|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|EPIPE|EHOSTUNREACH|ENETUNREACH)$/;
/**
 * Others were in the way for too long: 40001 and 40P01 (one of several transactions has to give way), 55P03 (lock_timeout),
 * 57014 (statement_timeout), 25P03 (idle_in_transaction_session_timeout). The server has undone the statement, and its
 * transaction can only be rolled back, so nothing of it is done twice.
 */
const BUSY_CODES = /^(?:40001|40P01|55P03|57014|25P03)$/;
/** node-postgres has no codes for its own errors. */
const AWAY_MESSAGES =
  /Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error|Query read timeout|connection is closed/i;

function guarded(pool: Pool): PostgresPool {
  const known = new WeakMap<PoolClient, PostgresPoolClient>();
  return {
    options: pool.options,
    end: () => pool.end(),
    async connect() {
      const client = await pool.connect().catch(refuse);
      let wrapped = known.get(client);
      if (wrapped === undefined) {
        wrapped = guardedClient(client);
        known.set(client, wrapped);
      }
      return wrapped;
    },
  };
}

function guardedClient(client: PoolClient): PostgresPoolClient {
  let broken = false;
  client.on('error', () => (broken = true));
  async function query(text: string, parameters: readonly unknown[]) {
    try {
      return await client.query(text, parameters.map(withoutNul));
    } catch (error) {
      if (isAway(error)) broken = true;
      return rethrow(error);
    }
  }
  return {
    // Cursors, the other form, are not used.
    query: query as unknown as PostgresPoolClient['query'],
    // A connection whose state is not known must not be used again.
    release: (destroy) => client.release(broken || destroy === true),
  };
}

/** PostgreSQL's text holds every character but U+0000, which logs, payloads and error messages may bring along. */
function withoutNul(parameter: unknown): unknown {
  return typeof parameter === 'string' && parameter.includes('\0')
    ? parameter.replaceAll('\0', '\uFFFD')
    : parameter;
}

function rethrow(error: unknown): never {
  if (BUSY_CODES.test(codeOf(error))) {
    throw new RetryableError('store-away', 'the database is busy', { cause: error });
  }
  if (!isAway(error)) throw error;
  throw new RetryableError('store-away', 'the database cannot be reached', {
    cause: error,
    hint:
      codeOf(error) === '25006'
        ? 'name the primary server in DATABASE_URL, not a standby'
        : 'see that the PostgreSQL server of DATABASE_URL runs, and can be reached from here',
  });
}

/** A server that answers, and does not want us. */
function refuse(error: unknown): never {
  if (BUSY_CODES.test(codeOf(error)) || isAway(error)) rethrow(error);
  throw new MainsheetError('store-refused', 'the database server refuses the connection', {
    cause: error,
    hint: refusalHint(codeOf(error), describeError(error)),
  });
}

/** https://www.postgresql.org/docs/current/errcodes-appendix.html: class 28 is authorization, 3D000 a database that is not there. */
function refusalHint(code: string, message: string): string {
  if (code.startsWith('28')) {
    return 'check the user and the password in DATABASE_URL, and what pg_hba.conf allows';
  }
  if (code === '3D000') {
    return 'make the database first, with createdb, or correct its name in DATABASE_URL';
  }
  return /SSL|TLS|certificate/i.test(message)
    ? 'check sslmode and sslrootcert in DATABASE_URL'
    : 'check DATABASE_URL';
}
