import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Server as TlsServer } from 'node:tls';
import { errorCode, MainsheetError } from '../lib/errors.ts';

/** By the system's code. */
const HINTS: Record<string, string> = {
  EADDRINUSE: 'stop the program that listens there, or set PORT to another one; 0 is any free port',
  EACCES: 'set PORT to 1024 or higher: below, only root may listen',
};
const NOT_HERE =
  'set HOST to an address of this machine: 127.0.0.1, or 0.0.0.0 for all that it has';

/**
 * Listens, and resolves with the URL (port 0 is any free one). Throws MainsheetError `cannot-listen` when the address is taken
 * or not this machine's.
 */
export async function listen(server: Server, host: string, port: number): Promise<string> {
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, host, () => resolve());
    });
  } catch (error) {
    const code = errorCode(error) ?? '';
    throw new MainsheetError('cannot-listen', `cannot listen at port ${port} of ${host}`, {
      cause: error,
      hint: HINTS[code] ?? NOT_HERE,
    });
  }
  const address = server.address() as AddressInfo;
  const name = address.family === 'IPv6' ? `[${address.address}]` : address.address;
  return `${server instanceof TlsServer ? 'https' : 'http'}://${name}:${address.port}`;
}
