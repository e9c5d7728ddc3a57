import { stat, statfs } from 'node:fs/promises';
import { sql } from 'kysely';
import { openSqlite } from '../store/engine.ts';
import { migrationState } from '../store/migrations.ts';
import { openPostgres } from '../store/postgres.ts';
import type { Db } from '../store/query.ts';
import { about, type Check } from './doctor-check.ts';

const { ok, warn, fail, failed } = about('store');
/** The oldest that still gets fixes: https://www.postgresql.org/support/versioning/ */
const LEAST_POSTGRES = 14;
/** https://man7.org/linux/man-pages/man2/statfs.2.html */
const NETWORK_FILE_SYSTEMS = new Map([
  [0x6969, 'NFS'],
  [0x517b, 'SMB'],
  [0xff534d42, 'CIFS'],
  [0xfe534d42, 'SMB'],
  [0x01021997, '9p'],
  [0x00c36400, 'Ceph'],
]);

/** The SQLite file. Only for when no server has it open; no row in it is changed. */
export async function checkSqlite(file: string): Promise<Check[]> {
  let mode: number;
  try {
    ({ mode } = await stat(file));
  } catch {
    return [ok('there is none yet; the first start makes it')];
  }
  const checks = await withDatabase(
    () => openSqlite(file),
    async (db) => {
      // A lock that only a writer gets, on a file that can be written.
      await sql`begin immediate`.execute(db);
      await sql`rollback`.execute(db);
      return [ok(file), await checkMigrations(db)];
    },
  );
  const kind = NETWORK_FILE_SYSTEMS.get((await statfs(file)).type);
  if (kind !== undefined) {
    const detail = `${file} is on ${kind}: SQLite may lose or damage what it writes there`;
    const hint = 'set MAINSHEET_DATA_DIR to a local disk, or DATABASE_URL to a PostgreSQL server';
    checks.push(fail(detail, hint));
  }
  if ((mode & 0o077) !== 0) {
    const detail = `others could read ${file}, which holds payloads and logs; it is made private when it is opened`;
    checks.push(warn(detail));
  }
  return checks;
}

/** The PostgreSQL database, also while servers use it. Nothing in it is changed. */
export async function checkPostgres(url: string): Promise<Check[]> {
  return await withDatabase(
    () => openPostgres(url),
    async (db) => {
      const { rows } = await sql<ServerFacts>`select
      current_setting('server_version') as version,
      current_setting('server_version_num')::int / 10000 as major,
      current_database() as name,
      current_setting('fsync') = 'on' and current_setting('full_page_writes') = 'on' as durable,
      current_setting('transaction_read_only') = 'on' or pg_is_in_recovery() as read_only,
      coalesce(has_schema_privilege(current_schema(), 'create'), false) as may_create`.execute(db);
      const [server] = rows;
      if (server === undefined) return [];
      return [
        checkVersion(server),
        checkRights(server),
        ...checkDurability(server),
        await checkMigrations(db),
      ];
    },
  );
}

interface ServerFacts {
  version: string;
  major: number;
  name: string;
  durable: boolean;
  read_only: boolean;
  may_create: boolean;
}

async function withDatabase(open: () => Db, look: (db: Db) => Promise<Check[]>): Promise<Check[]> {
  try {
    const db = open();
    try {
      return await db.connection().execute(look);
    } finally {
      await db.destroy();
    }
  } catch (error) {
    return [failed(error)];
  }
}

function checkVersion({ version, major }: ServerFacts): Check {
  const detail = `PostgreSQL ${version}`;
  return major >= LEAST_POSTGRES
    ? ok(detail)
    : warn(`${detail} gets no fixes any more`, 'update it');
}

function checkRights({ name, read_only: readOnly, may_create: mayCreate }: ServerFacts): Check {
  if (readOnly) {
    const detail = `the database ${name} can only be read`;
    const hint = 'name the primary server in DATABASE_URL, not a standby';
    return fail(detail, hint);
  }
  if (mayCreate) return ok(`the database ${name} can be written to`);
  const detail = `no table can be made in the database ${name}`;
  const hint = 'give its user the right CREATE on the schema, or make it the owner of the database';
  return fail(detail, hint);
}

/** How the server commits is up to each connection, and Mainsheet's wait for its disk; but not whether it writes to it at all. */
function checkDurability({ durable }: ServerFacts): Check[] {
  if (durable) return [];
  const detail = 'the server may lose or damage everything when its machine crashes';
  const hint = 'set fsync and full_page_writes to on in its configuration';
  return [warn(detail, hint)];
}

async function checkMigrations(db: Db): Promise<Check> {
  const { pending, unknown, refusal, isEmpty } = await migrationState(db);
  if (refusal !== undefined) return failed(refusal);
  if (unknown.length > 0) {
    const detail = `a newer Mainsheet has changed it (${unknown.join(', ')}), which this one can bear`;
    return ok(detail);
  }
  if (isEmpty) return ok('empty; the first start makes its tables');
  if (pending.length === 0) return ok('its tables are up to date');
  const detail = `the next start brings it up to date: ${pending.join(', ')}`;
  return warn(detail, 'back it up first');
}
