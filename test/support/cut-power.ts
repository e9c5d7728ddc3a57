import { copyFileSync, existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/** What a controller gets in its environment so that its power can be cut. */
export const POWERED = {
  // As a URL, in which no space parts it.
  NODE_OPTIONS: `--import=${new URL('power.ts', import.meta.url).href}`,
};

/** Takes from the database of a dead controller all that was not on the disk for sure. */
export function cutPower(dataDir: string): void {
  const kept = join(dataDir, 'flushed');
  const database = join(dataDir, 'mainsheet.db');
  rmSync(`${database}-shm`, { force: true });
  rmSync(`${database}-wal`, { force: true });
  if (!existsSync(join(kept, 'latest'))) {
    rmSync(database, { force: true });
    return;
  }
  const latest = join(kept, readFileSync(join(kept, 'latest'), 'utf8'));
  copyFileSync(join(latest, 'db'), database);
  if (existsSync(join(latest, 'wal'))) copyFileSync(join(latest, 'wal'), `${database}-wal`);
}
