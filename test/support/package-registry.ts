import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { portOf } from '../../demo/listen.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const MODULES = 'node_modules/';

/** A registry on this machine that has what `npm ci` has installed here, and nothing else. */
export interface PackageRegistry {
  url: string;
  close: () => Promise<void>;
}

/** Serves each package of the lock file as https://github.com/npm/registry/blob/main/docs/REGISTRY-API.md describes it. */
export async function startPackageRegistry(): Promise<PackageRegistry> {
  const { packages } = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { version: string }>;
  };
  const paths = Object.keys(packages).filter((path) => path.startsWith(MODULES));
  const server = createServer((request, response) => {
    const [name = '', tarball] = decodeURIComponent(request.url?.slice(1) ?? '').split('/-/');
    if (tarball !== undefined && paths.includes(tarball)) {
      const directory = join(ROOT, tarball);
      const args = ['-c', '-C', directory, '--exclude=./node_modules', '--transform=s,^.,package,'];
      spawn('tar', [...args, '.'], { stdio: ['ignore', 'pipe', 'ignore'] }).stdout.pipe(response);
      return;
    }
    const here = paths.filter((path) => path.slice(path.lastIndexOf(MODULES)) === MODULES + name);
    const versions = here.flatMap((path) => versionAt(path, `http://${request.headers.host}`));
    const latest = versions[0]?.[0];
    response.statusCode = latest === undefined ? 404 : 200;
    response.setHeader('content-type', 'application/json');
    const document = { name, versions: Object.fromEntries(versions), 'dist-tags': { latest } };
    response.end(JSON.stringify(document));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    url: `http://127.0.0.1:${portOf(server)}`,
    async close() {
      server.closeAllConnections();
      await once(server.close(), 'close');
    },
  };
}

/** None when npm has not installed it: packages of another system. */
function versionAt(path: string, url: string): [string, Record<string, unknown>][] {
  try {
    const manifest = JSON.parse(readFileSync(join(ROOT, path, 'package.json'), 'utf8'));
    const tarball = `${url}/${encodeURIComponent(manifest.name)}/-/${encodeURIComponent(path)}`;
    return [[manifest.version, { ...manifest, dist: { tarball } }]];
  } catch {
    return [];
  }
}
