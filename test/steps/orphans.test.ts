import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { gitEnvironment } from '../../src/git/git-environment.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { createOrphans } from '../../src/steps/orphans.ts';
import { isAlive } from './support.ts';

const TIME_LIMIT = { timeout: 300_000 };
const orphans = createOrphans({ clock: systemClock, graceMs: 1000 });

/** A process with these variables that would wait for ever; its id when it has started. */
async function startWaiting(t: TestContext, env: Record<string, string>): Promise<number> {
  const script = 'console.log(1); setInterval(() => {}, 1000)';
  const child = spawn(process.execPath, ['-e', script], {
    env,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  t.after(() => child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  return child.pid ?? 0;
}

async function dataDirectory(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'mainsheet-orphans-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

const git = gitEnvironment({ inherited: process.env, protocols: 'none' });

test(
  'steps and gits of a controller that died are ended before anything is cleaned up behind them',
  TIME_LIMIT,
  async (t) => {
    const directory = await dataDirectory(t);
    const own = [
      await startWaiting(t, { ...git, GIT_DIR: join(directory, 'mirrors', 'acme+shop') }),
      await startWaiting(t, { MAINSHEET_OUTPUT: join(directory, 'scratch', 'run', 'output') }),
    ];
    assert.equal(await orphans.endBelow(directory), 2);
    assert.deepEqual(own.filter(isAlive), []);
  },
);

test(
  'what else works in the data directory or another one is left alone',
  TIME_LIMIT,
  async (t) => {
    const directory = await dataDirectory(t);
    const inMirror = { GIT_DIR: join(directory, 'mirrors', 'acme+shop') };
    const others = [
      await startWaiting(t, { ...inMirror, HOME: '/home/somebody' }),
      await startWaiting(t, {
        ...git,
        GIT_DIR: join(`${directory}-other`, 'mirrors', 'acme+shop'),
      }),
      await startWaiting(t, { MAINSHEET_OUTPUT: join(`${directory}-other`, 'output') }),
    ];
    assert.equal(await orphans.endBelow(directory), 0);
    assert.deepEqual(others.filter(isAlive), others);
  },
);

test(
  'with no file descriptor left it is not said that there are no orphans',
  TIME_LIMIT,
  async (t) => {
    const directory = await dataDirectory(t);
    const source = (name: string) => JSON.stringify(import.meta.resolve(`../../src/${name}`));
    const script = `
      import { openSync } from 'node:fs';
      import { systemClock } from ${source('lib/clock.ts')};
      import { createOrphans } from ${source('steps/orphans.ts')};
      const orphans = createOrphans({ clock: systemClock });
      console.log('ready');
      try { for (;;) openSync('/dev/null'); } catch {}
      console.log(await orphans.endBelow(process.argv[1]).catch((error) => error.code));
    `;
    const limited = ['-c', 'ulimit -n 100 && exec "$@"', 'sh', process.execPath];
    const args = [...limited, '--input-type=module', '-e', script, directory];
    const { stdout } = await promisify(execFile)('/bin/sh', args);
    assert.equal(stdout, 'ready\nEMFILE\n');
  },
);
