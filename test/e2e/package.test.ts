import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { globSync } from 'node:fs';
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { startPackageRegistry } from '../support/package-registry.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const run = promisify(execFile);

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
    const read = globSync('src/**/*.*', { cwd: ROOT }).filter((path) => !path.endsWith('.ts'));
    const scripts = files
      .filter((path) => path.endsWith('.js') && path.startsWith('dist/'))
      .filter((path) => !read.includes(path.slice('dist/'.length)));
    assert.ok(scripts.includes('dist/src/main.js'));
    assert.deepEqual(
      scripts.filter((path) => !files.includes(`${path}.map`)),
      [],
    );
    assert.deepEqual(
      read.filter((path) => !files.includes(`dist/${path}`)),
      [],
    );
    assert.deepEqual(
      files.filter((path) => /\.ts$|^(?:test|bench|src)\//.test(path)),
      [],
    );
  });

  test('the demo takes a push to a deployment', async () => {
    const { stdout } = await mainsheet(['demo', '--once', '--json']);
    assert.deepEqual(JSON.parse(stdout).missing, []);
  });

  test('its thread writes what comes in large groups', async () => {
    const script = `
      import { openSqlite } from './node_modules/mainsheet/dist/src/store/engine.js';
      import { createStore } from './node_modules/mainsheet/dist/src/store/index.js';
      const store = await createStore(openSqlite('./large.db'), 'sqlite');
      const common = { event: 'push', payload: '{}', receivedAt: 1 };
      const ids = Array.from({ length: 20 }, (_, index) => 'd' + index);
      console.log(new Set(await Promise.all(ids.map((id) => store.accept({ id, ...common })))));
      await store.close();`;
    const { stdout } = await run('node', ['--input-type=module', '-e', script], { cwd: home, env });
    assert.match(stdout, /^Set\(1\) \{ true \}/);
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

  test('the controller starts, answers and stops', async () => {
    const specs = join(home, 'deployments');
    await mkdir(specs, { recursive: true });
    await writeFile(join(home, 'webhook-secret'), 'a-secret-of-the-package');
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
    const { status } = await fetch(`${url}/healthz`);
    child.kill('SIGTERM');
    const [code] = await ended;
    assert.deepEqual([status, code], [200, 0]);
  });
});
