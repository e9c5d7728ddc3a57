import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import {
  createServer as createHttpServer,
  request as send,
  type IncomingMessage,
  type RequestListener,
  type Server,
} from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';

const file = (name: string) => fileURLToPath(new URL(`tls/${name}`, import.meta.url));

/** Of an authority that no machine knows. It has signed the certificate of `forge.test` and `hooks.test`. */
export const CA_FILE = file('ca.pem');

/** Of slack.com and hooks.slack.com, signed by itself. */
export const SLACK_CA_FILE = file('slack.pem');

/** Something that listens on a free port of 127.0.0.1. */
interface Listening {
  port: number;
  close(): Promise<void>;
}

/** HTTPS as `forge.test` or `hooks.test`, with a certificate of our own authority; or as Slack. */
export async function startTls(
  answer: RequestListener,
  as: 'server' | 'slack' = 'server',
): Promise<Listening> {
  const identity = {
    cert: readFileSync(file(`${as}.pem`)),
    key: readFileSync(file(`${as}-key.pem`)),
  };
  return await listening(createTlsServer(identity, answer));
}

/** Passes every request on to a server that speaks HTTP only. */
export function passTo(url: string): RequestListener {
  return (request, response) => {
    const { method = 'GET', headers } = request;
    const onward = send(url + request.url, { method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    onward.on('error', () => response.destroy());
    request.pipe(onward);
  };
}

export interface Proxy extends Listening {
  url: string;
  /** What it was asked for: `CONNECT forge.test:443`, `GET http://plain.test/x`. */
  asked: string[];
}

/**
 * A proxy that is the only one to know where the hosts of `ports` are: names that only it can resolve. With `user`
 * (`name:password`) it lets no others pass.
 */
export async function startProxy(
  ports: Record<string, number>,
  options: { user?: string } = {},
): Promise<Proxy> {
  const asked: string[] = [];
  const expected =
    options.user === undefined
      ? undefined
      : `Basic ${Buffer.from(options.user).toString('base64')}`;
  const mayPass = ({ headers }: IncomingMessage) =>
    expected === undefined || headers['proxy-authorization'] === expected;
  const server = createHttpServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    const url = URL.parse(request.url ?? '');
    const port = ports[url?.hostname ?? ''];
    if (!mayPass(request)) response.writeHead(407, ASK).end();
    else if (url === null || port === undefined) response.writeHead(502).end();
    else
      passTo(`http://127.0.0.1:${port}`)(Object.assign(request, { url: url.pathname }), response);
  });
  server.on('connect', (request: IncomingMessage, client: Socket) => {
    asked.push(`CONNECT ${request.url}`);
    const port = ports[request.url?.split(':')[0] ?? ''];
    client.on('error', () => client.destroy());
    if (!mayPass(request))
      return client.end(`HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm="proxy"\r\n\r\n`);
    if (port === undefined) return client.end('HTTP/1.1 502 Bad Gateway\r\n\r\n');
    const onward = connect(port, '127.0.0.1', () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n');
      onward.pipe(client).pipe(onward);
    });
    onward.on('error', () => client.destroy());
    client.on('close', () => onward.destroy());
    return undefined;
  });
  const { port, close } = await listening(server);
  return { port, close, url: `http://127.0.0.1:${port}`, asked };
}

const ASK = { 'proxy-authenticate': 'Basic realm="proxy"' };

async function listening(server: Server): Promise<Listening> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      server.close();
      // Tunnels are no connections of the server any more.
      for (const socket of sockets) socket.destroy();
      await once(server, 'close');
    },
  };
}
