import { join } from 'node:path';
import { adminTokenFile } from '../config/admin-token-file.ts';

/** What no step may read: where Mainsheet keeps its data and its secrets, and this process's environment. */
export function privatePaths(config: { dataDir: string; secretFiles: string[] }): string[] {
  const own = ['', 'mainsheet.db', 'outputs.key', 'mirrors', 'work', 'scratch', 'plans'];
  return [
    ...own.map((name) => join(config.dataDir, name)),
    adminTokenFile(config.dataDir),
    ...config.secretFiles,
    `/proc/${process.pid}/environ`,
  ];
}
