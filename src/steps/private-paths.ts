import { join } from 'node:path';

/** What no step may read: where Mainsheet keeps its data and its secrets, and this process's environment. */
export function privatePaths(config: { dataDir: string; secretFiles: string[] }): string[] {
  const own = ['', 'mainsheet.db', 'mirrors', 'work', 'scratch'];
  return [
    ...own.map((name) => join(config.dataDir, name)),
    ...config.secretFiles,
    `/proc/${process.pid}/environ`,
  ];
}
