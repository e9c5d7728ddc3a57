import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { loadedModules, packagesOf } from '../support/loaded-modules.ts';

const at = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
test('each loads what it needs, and no package that only others or some settings need', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'mainsheet-loaded-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const specs = join(directory, 'specs.yaml');
  await writeFile(specs, 'name: a\nrepository: a/b\non: { push: {} }\nsteps: [{ run: "true" }]\n');

  const loadedBy = async (...args: string[]) => packagesOf(await loadedModules(args, at('.')));
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
