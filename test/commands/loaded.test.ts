import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const at = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
/** Writes the packages that were loaded, one a line, to the file that is named. */
const HOOK = `import { registerHooks } from 'node:module';
import { writeFileSync } from 'node:fs';
const loaded = new Set();
registerHooks({ load(url, context, next) {
  const name = /node_modules\\/((?:@[^/]+\\/)?[^/]+)/.exec(url)?.[1];
  if (name !== undefined) loaded.add(name);
  return next(url, context);
} });
process.on('exit', () => writeFileSync(process.env.LOADED, [...loaded].sort().join('\\n')));`;

test('each loads what it needs, and no package that only others or some settings need', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'mainsheet-loaded-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const specs = join(directory, 'specs.yaml');
  await writeFile(specs, 'name: a\nrepository: a/b\non: { push: {} }\nsteps: [{ run: "true" }]\n');

  async function loadedBy(...args: string[]): Promise<string[]> {
    const list = join(directory, 'loaded');
    const hook = `data:text/javascript,${encodeURIComponent(HOOK)}`;
    await promisify(execFile)(process.execPath, ['--import', hook, ...args], {
      cwd: at('.'),
      env: { PATH: process.env['PATH'], LOADED: list },
    });
    const text = await readFile(list, 'utf8');
    return text.split('\n').filter((name) => name !== '');
  }

  const bin = at('bin/mainsheet.js');
  assert.deepEqual(await loadedBy(bin, '--version'), []);
  assert.deepEqual(await loadedBy(bin, 'validate', specs), [
    'commander',
    'leven',
    'node-cron',
    'yaml',
    'zod',
  ]);
  const service = await loadedBy(at('src/app.ts'));
  assert.ok(service.includes('koa'), service.join(', '));
  const others = new Set([
    '@marcbachmann/cel-js',
    'age-encryption',
    'ajv',
    'commander',
    'nodemailer',
    'pg',
    'pino-pretty',
    're2js',
    'ssh2',
    'undici',
  ]);
  assert.deepEqual(
    service.filter((name) => others.has(name)),
    [],
  );
});
