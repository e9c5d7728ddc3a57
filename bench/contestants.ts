import { createHmac, randomUUID, timingSafeEqual } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import { createServer as createRawServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import SQLite from 'better-sqlite3';
import { freePort } from './free-port.ts';

/** The receivers that the intake bench compares. Started as `node bench/contestants.ts NAME`; prints its port. */

const SECRET = process.env['BENCH_SECRET'] ?? '';
const name = process.argv[2] ?? '';
const starters: Record<string, () => Promise<number>> = {
  bare: async () => await listen(bare()),
  durable: async () => await listen(durable()),
  probot,
  sink: async () => await listen(sink()),
};
const start = starters[name];
if (start === undefined)
  throw new Error(`no contestant ${name}: ${Object.keys(starters).join(', ')}`);
process.stdout.write(`${await start()}\n`);

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

/** node:http and the HMAC: the least that any receiver has to do. Keeps nothing. */
function bare(): Server {
  return createServer((request, response) => {
    void readBody(request).then((body) => {
      response.statusCode = verified(request, body) ? 202 : 401;
      response.end();
    });
  });
}

/** The same with a durable row for each request: SQLite, `synchronous=FULL`, group commit. */
function durable(): Server {
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

/**
 * Probot as `probot run` starts it, with its log: it runs handlers in memory and stores nothing. Not a dependency: the bench says how
 * to add it.
 */
async function probot(): Promise<number> {
  const { generateKeyPairSync } = await import('node:crypto');
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const port = await freePort();
  const { run } = (await import(probotFrom(process.env['BENCH_PEERS']))) as Probot;
  const env = {
    APP_ID: '1',
    PRIVATE_KEY: privateKey.export({ type: 'pkcs1', format: 'pem' }).toString(),
    WEBHOOK_SECRET: SECRET,
    WEBHOOK_PATH: '/webhooks/v1/github',
    HOST: '127.0.0.1',
    PORT: String(port),
    NODE_ENV: 'production',
  };
  const app = (bot: { on(event: string, handler: () => void): void }) => {
    bot.on('push', () => undefined);
  };
  await run(app, { env });
  return port;
}

/** `directory`: where `npm install probot` was done, if not here. */
function probotFrom(directory: string | undefined): string {
  return directory === undefined
    ? 'probot'
    : pathToFileURL(join(directory, 'node_modules/probot/lib/index.js')).href;
}

interface Probot {
  run(app: object, options: { env: Record<string, string> }): Promise<unknown>;
}

/** Answers without looking: what the loader reaches here is what it could ask of a receiver. */
function sink(): Server {
  const answer = Buffer.from('HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n');
  return createRawServer({ noDelay: true }, (socket) => {
    let missing = 0;
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => {
      if (missing === 0) {
        const head = chunk.indexOf('\r\n\r\n');
        const length = /Content-Length: (\d+)/.exec(chunk.toString('latin1', 0, head));
        missing = head + 4 + Number(length?.[1]);
      }
      missing -= chunk.length;
      if (missing === 0) socket.write(answer);
    });
  });
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
