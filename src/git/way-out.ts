import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { proxyFor, trusted, type WayOutSettings } from '../lib/way-out.ts';
import type { GitWayOut } from './remote-git.ts';

/**
 * How git gets out to `serverUrl`: the same way as every other request. git takes certificates from one file only, so that all
 * that are trusted are put together in one in `directory`.
 */
export async function gitWayOut(
  settings: WayOutSettings,
  serverUrl: string,
  directory: string,
): Promise<GitWayOut> {
  const proxy = proxyFor(settings, new URL(serverUrl));
  if (settings.certificates.length === 0) return { proxy, trustedFile: undefined };
  const trustedFile = join(directory, 'trusted.pem');
  const next = `${trustedFile}.next`;
  await writeFile(next, `${trusted(settings).join('\n')}\n`, { mode: 0o600 });
  await rename(next, trustedFile);
  return { proxy, trustedFile };
}
