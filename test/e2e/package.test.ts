import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { globSync, readFileSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, delimiter, dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { loadedModules, packagesOf } from '../support/loaded-modules.ts';
import { startPackageRegistry } from '../support/package-registry.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const run = promisify(execFile);
const SECRET = 'a-secret-of-the-package';

describe('the package, installed into an empty folder', () => {
  let root = '';
  let home = '';
  let files: string[] = [];
  let env: Record<string, string> = {};
  const mainsheet = (args: string[], more: Record<string, string> = {}) =>
    run(join(home, 'node_modules/.bin/mainsheet'), args, { cwd: home, env: { ...env, ...more } });

  before(async () => {
    root = await mkdtemp(join(tmpdir(), 'mainsheet-package-'));
    home = join(root, 'empty');
    await mkdir(home);
    const registry = await startPackageRegistry();
    // Nothing of the npm that runs these tests.
    env = {
      PATH: [dirname(process.execPath), process.env['PATH']].join(delimiter),
      HOME: root,
      npm_config_registry: registry.url,
      npm_config_audit: 'false',
      npm_config_update_notifier: 'false',
    };
    try {
      const pack = ['pack', '--json', '--pack-destination', root];
      const [packed] = JSON.parse((await run('npm', pack, { cwd: ROOT, env })).stdout);
      files = packed.files.map(({ path }: { path: string }) => path);
      // Without the Node of its own, which is as large as all the rest. What packages would build is needed by nothing.
      const install = ['install', '--ignore-scripts', '--omit=optional', '--prefix', home];
      await run('npm', [...install, join(root, packed.filename)], { cwd: home, env });
    } finally {
      await registry.close();
    }
  });
  after(() => rm(root, { recursive: true, force: true }));

  test('it holds JavaScript with source maps, what that reads, and neither tests nor TypeScript', () => {
    const assets = globSync('src/http/pages/assets/*', { cwd: ROOT }).map(
      (path) => `dist/src/assets/${basename(path)}`,
    );
    const scripts = files.filter(
      (path) => path.startsWith('dist/') && path.endsWith('.js') && !assets.includes(path),
    );
    const threads = globSync('src/store/*-thread.ts', { cwd: ROOT });
    assert.deepEqual(
      ['main', ...threads.map((path) => basename(path, '.ts'))].filter(
        (name) => !scripts.includes(`dist/src/${name}.js`),
      ),
      [],
    );
    assert.deepEqual(
      [...scripts.map((path) => `${path}.map`), ...assets].filter((path) => !files.includes(path)),
      [],
    );
    assert.deepEqual(
      files.filter((path) => /\.ts$|^(?:test|bench|src)\//.test(path)),
      [],
    );
  });

  test('the licences of the packages that are in its files lie beside them, and of zod there is only what is used', async () => {
    const installed = join(home, 'node_modules/mainsheet/dist');
    const sources = globSync('src/*.map', { cwd: installed }).flatMap((path): string[] => {
      return JSON.parse(readFileSync(join(installed, path), 'utf8')).sources;
    });
    const licences = await readdir(join(installed, 'licenses'));
    assert.deepEqual(packagesOf(sources), licences.toSorted());
    // zod's own words in all its languages, which `import { z }` would bring.
    const languages = new Set(
      sources.filter((path) => path.includes('/locales/')).map((path) => basename(path)),
    );
    assert.deepEqual(languages, new Set(['en.js']));
  });

  test('to validate specs it reads few files, and none of the packages that are in it', async () => {
    const loaded = await loadedModules(
      ['node_modules/mainsheet/bin/mainsheet.js', 'validate', join(ROOT, 'demo/specs')],
      home,
    );
    const read = loaded.filter((url) => url.startsWith('file:'));
    assert.deepEqual(packagesOf(read), ['@marcbachmann/cel-js', 'leven', 'mainsheet', 'node-cron']);
    assert.ok(read.length < 60, read.join('\n'));
  });

  test('the demo takes a push to a deployment', async () => {
    const { stdout } = await mainsheet(['demo', '--once', '--json']);
    assert.deepEqual(JSON.parse(stdout).missing, []);
  });

  test('specs are validated, and an error is traced to a line of TypeScript', async () => {
    await cp(join(ROOT, 'demo/specs'), join(home, 'deployments'), { recursive: true });
    const { stdout } = await run('npx', ['mainsheet', 'validate'], { cwd: home, env });
    assert.match(stdout, /1 valid spec/);
    const traced = { NODE_OPTIONS: '--enable-source-maps', LOG_LEVEL: 'debug' };
    await assert.rejects(
      mainsheet(['validate', 'nowhere'], traced),
      /src\/commands\/local-specs\.ts:\d+/,
    );
  });

  test('the controller starts, takes many deliveries at once, and stops', async () => {
    const specs = join(home, 'deployments');
    await mkdir(specs, { recursive: true });
    await writeFile(join(home, 'webhook-secret'), SECRET);
    const child = spawn(join(home, 'node_modules/.bin/mainsheet'), ['serve'], {
      cwd: home,
      stdio: ['ignore', 'pipe', 'inherit'],
      env: {
        ...env,
        PORT: '0',
        LOG_FORMAT: 'json',
        GITHUB_WEBHOOK_SECRET_FILE: 'webhook-secret',
        MAINSHEET_RECONCILE_INTERVAL: '0',
      },
    });
    const ended = once(child, 'exit');
    let url = '';
    for await (const line of createInterface({ input: child.stdout })) {
      const entry = JSON.parse(line) as { msg?: string; url?: string };
      if (entry.msg !== 'listening' || entry.url === undefined) continue;
      url = entry.url;
      break;
    }
    child.stdout.resume();
    // So many that the store's thread writes them.
    const answers = await Promise.all(
      Array.from({ length: 32 }, async (_, index) => {
        const body = JSON.stringify({ zen: 'Keep it simple.', hook_id: index, hook: {} });
        const signature = createHmac('sha256', SECRET).update(body).digest('hex');
        const { status } = await fetch(`${url}/webhooks/v1/github`, {
          method: 'POST',
          body,
          headers: {
            'Content-Type': 'application/json',
            'X-GitHub-Event': 'ping',
            'X-GitHub-Delivery': `delivery-${index}`,
            'X-Hub-Signature-256': `sha256=${signature}`,
          },
        });
        return status;
      }),
    );
    child.kill('SIGTERM');
    const [code] = await ended;
    assert.deepEqual([new Set(answers), code], [new Set([202]), 0]);
  });
});
