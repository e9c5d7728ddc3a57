import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Listens, and resolves with the URL (port 0 is any free one). Rejects when the address is taken or not this machine's. */
export async function listen(server: Server, host: string, port: number): Promise<string> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => resolve());
  });
  const address = server.address() as AddressInfo;
  const name = address.family === 'IPv6' ? `[${address.address}]` : address.address;
  return `http://${name}:${address.port}`;
}
