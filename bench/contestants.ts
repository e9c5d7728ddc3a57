import { createHmac, randomUUID, timingSafeEqual } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import SQLite from 'better-sqlite3';

/** The receivers that the intake bench compares. Started as `node bench/contestants.ts NAME`; prints its port. */

const SECRET = process.env['BENCH_SECRET'] ?? '';
const name = process.argv[2] ?? '';
const starters: Record<string, () => Promise<Server>> = {
  bare,
  durable,
  mainsheet,
  probot,
  empty: mainsheet,
  full: mainsheet,
};
const start = starters[name];
if (start === undefined)
  throw new Error(`no contestant ${name}: ${Object.keys(starters).join(', ')}`);
const server = await start();
if (!server.listening) await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
process.stdout.write(`${(server.address() as AddressInfo).port}\n`);

/** node:http and the HMAC: the least that any receiver has to do. Keeps nothing. */
async function bare(): Promise<Server> {
  return createServer((request, response) => {
    void readBody(request).then((body) => {
      response.statusCode = verified(request, body) ? 202 : 401;
      response.end();
    });
  });
}

/** The same with a durable row for each request: SQLite, `synchronous=FULL`, group commit. */
async function durable(): Promise<Server> {
  const database = new SQLite(join(mkdtempSync(join(tmpdir(), 'bench-')), 'bench.db'));
  database.pragma('journal_mode = WAL');
  database.pragma('synchronous = FULL');
  database.exec('create table deliveries (id text primary key, body text not null)');
  const insert = database.prepare('insert into deliveries values (?, ?) on conflict do nothing');
  const commit = database.transaction((group: Waiting[]) => {
    for (const { id, body } of group) insert.run(id, body);
  });
  let waiting: Waiting[] = [];
  const flush = () => {
    const group = waiting;
    waiting = [];
    commit(group);
    for (const { done } of group) done();
  };
  return createServer((request, response) => {
    void readBody(request).then((body) => {
      if (!verified(request, body)) return response.writeHead(401).end();
      const done = () => response.writeHead(202).end();
      waiting.push({
        id: String(request.headers['x-github-delivery']),
        body: body.toString(),
        done,
      });
      if (waiting.length === 1) setImmediate(flush);
    });
  });
}

interface Waiting {
  id: string;
  body: string;
  done: () => void;
}

/** Mainsheet's whole route, on its real store. The intake is stopped, as it is not part of what answers. */
async function mainsheet(): Promise<Server> {
  const { createHttpServer } = await import('../src/http/server.ts');
  const { openSqlite } = await import('../src/store/engine.ts');
  const { createStore } = await import('../src/store/index.ts');
  const { createLogger } = await import('../src/lib/logger.ts');
  const { createBroadcast } = await import('../src/lib/broadcast.ts');
  const { systemClock } = await import('../src/lib/clock.ts');
  const directory = mkdtempSync(join(tmpdir(), 'bench-'));
  const store = await createStore(openSqlite(join(directory, 'bench.db')), 'sqlite');
  fill(join(directory, 'bench.db'), Number(process.env['BENCH_ROWS'] ?? 0));
  type Deps = Parameters<typeof createHttpServer>[0];
  const { server } = createHttpServer({
    store,
    catalog: {} as Deps['catalog'],
    intake: { wake() {} } as Deps['intake'],
    budget: () => [],
    operate: {} as Deps['operate'],
    deploy: {} as Deps['deploy'],
    pausing: {} as Deps['pausing'],
    webhookSecrets: [SECRET],
    spoolDirectory: directory,
    adminToken: 'bench',
    version: 'bench',
    clock: systemClock,
    logger: createLogger({ level: 'error', format: 'json' }),
    news: createBroadcast(),
    ended: createBroadcast(),
  });
  return server;
}

/** Puts processed deliveries of 1 KB into the table. */
function fill(file: string, rows: number): void {
  if (rows === 0) return;
  const database = new SQLite(file);
  database
    .prepare(
      `with recursive n(i) as (select 1 union all select i + 1 from n where i < ?)
       insert into deliveries (id, event, repository, payload, state, received_at)
       select 'old-' || i, 'push', 'acme/r' || (i % 100), ?, 'processed', i from n`,
    )
    .run(rows, 'x'.repeat(1024));
  database.pragma('wal_checkpoint(TRUNCATE)');
  database.close();
}

/** Probot, which runs handlers in memory and stores nothing. Not a dependency: the bench says how to add it. */
async function probot(): Promise<Server> {
  const { generateKeyPairSync } = await import('node:crypto');
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const specifier = 'probot';
  const { createNodeMiddleware, createProbot } = (await import(specifier)) as Probot;
  const app = createProbot({
    overrides: {
      appId: 1,
      privateKey: privateKey.export({ type: 'pkcs1', format: 'pem' }).toString(),
      secret: SECRET,
      logLevel: 'fatal',
    },
  });
  const middleware = await createNodeMiddleware(
    (bot) => {
      bot.on('push', () => undefined);
    },
    { probot: app, webhooksPath: '/webhooks/v1/github' },
  );
  return createServer((request, response) => void middleware(request, response));
}

interface Probot {
  createProbot(options: object): object;
  createNodeMiddleware(
    app: (bot: { on(event: string, handler: () => void): void }) => void,
    options: object,
  ): Promise<(request: unknown, response: unknown) => unknown>;
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function verified(request: IncomingMessage, body: Buffer): boolean {
  const expected = `sha256=${createHmac('sha256', SECRET).update(body).digest('hex')}`;
  const given = String(request.headers['x-hub-signature-256'] ?? randomUUID());
  return (
    given.length === expected.length && timingSafeEqual(Buffer.from(given), Buffer.from(expected))
  );
}
