import { join } from 'node:path';

/** Where the server keeps the address of the channel that was made for its tunnel, so that the next start has the same. */
export function tunnelFile(dataDir: string): string {
  return join(dataDir, 'tunnel-url');
}
