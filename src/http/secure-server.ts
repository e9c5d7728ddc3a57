import type { RequestListener } from 'node:http';
import { createServer, type Server, type ServerOptions } from 'node:https';

const MOST_CONNECTIONS = 512;
const MOST_REQUESTS = 100;
const HANDSHAKE_MS = 10_000;
const STALLED_MS = 30_000;

/**
 * A server over TLS that takes only clients with a certificate of one of `authorities`, and only what is sent to hooks: the
 * handshake refuses all others.
 */
export function createSecureServer(
  options: ServerOptions & { certificate: string; authorities: readonly string[] },
  serve: RequestListener,
): Server {
  const { certificate, authorities, ...rest } = options;
  const server = createServer(
    {
      ...rest,
      cert: certificate,
      ca: [...authorities],
      requestCert: true,
      rejectUnauthorized: true,
      minVersion: 'TLSv1.2',
      handshakeTimeout: HANDSHAKE_MS,
    },
    (request, response) => {
      if (request.url?.startsWith('/webhooks/v1/hooks/')) serve(request, response);
      else response.writeHead(404, { Connection: 'close' }).end();
    },
  );
  server.maxHeadersCount = 100;
  server.maxConnections = MOST_CONNECTIONS;
  server.maxRequestsPerSocket = MOST_REQUESTS;
  server.timeout = STALLED_MS;
  return server;
}
