import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** Writes the modules that were loaded, one a line, to the file that is named. */
const HOOK = `import { registerHooks } from 'node:module';
import { writeFileSync } from 'node:fs';
const loaded = [];
registerHooks({ load(url, context, next) {
  loaded.push(url);
  return next(url, context);
} });
process.on('exit', () => writeFileSync(process.env.LOADED, loaded.join('\\n')));`;

/** The modules that `node` with `args` loads until it ends, as URLs: those of files, and `node:` ones. */
export async function loadedModules(args: readonly string[], cwd: string): Promise<string[]> {
  const directory = await mkdtemp(join(tmpdir(), 'mainsheet-loaded-'));
  try {
    const list = join(directory, 'list');
    const hook = `data:text/javascript,${encodeURIComponent(HOOK)}`;
    const env = { PATH: process.env['PATH'], LOADED: list };
    await promisify(execFile)(process.execPath, ['--import', hook, ...args], { cwd, env });
    return (await readFile(list, 'utf8')).split('\n');
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** The packages that modules are of, each once, by name. */
export function packagesOf(modules: readonly string[]): string[] {
  const name = /.*node_modules\/((?:@[^/]+\/)?[^/]+)/;
  return [...new Set(modules.flatMap((url) => name.exec(url)?.[1] ?? []))].toSorted();
}
