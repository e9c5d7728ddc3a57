import { join } from 'node:path';

/** Where the server keeps the admin token that it made, because none was set: in its data directory, for its own user only. */
export function adminTokenFile(dataDir: string): string {
  return join(dataDir, 'admin-token');
}

/** Whether a text can be a bearer token: it has to fit into a header. */
export function isToken(text: string): boolean {
  return /^[\x21-\x7e]+$/.test(text);
}
