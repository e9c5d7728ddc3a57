import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { gitEnvironment } from '../../src/git/git-environment.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { createInterrupt } from '../../src/steps/interrupt.ts';
import { createOrphans } from '../../src/steps/orphans.ts';
import { until } from '../support/until.ts';
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
      await startWaiting(t, { ...inMirror, HOME: '/home/another' }),
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

/** A program that has to be let finish, and its helper. It notes the signals that either gets, and ends once `go` says so. */
async function startFinishing(t: TestContext, directory: string) {
  const notes = join(directory, 'signals');
  const note = (who: string) =>
    `for (const name of ['SIGINT', 'SIGTERM']) process.on(name, () => fs.appendFileSync('${notes}', '${who} ' + name + '\\n'));`;
  const helper = `${note('helper')} console.log(1); setInterval(() => {}, 1000)`;
  const script = `
    ${note('program')}
    const helper = require('child_process').spawn(process.execPath, ['-e', ${JSON.stringify(helper)}], { stdio: ['ignore', 'pipe', 'ignore'] });
    helper.stdout.once('data', () => console.log(helper.pid));
    setInterval(() => { if (fs.existsSync('${join(directory, 'go')}')) { helper.kill('SIGKILL'); process.exit(); } }, 20);`;
  const child = spawn(process.execPath, ['-e', script], {
    env: {
      MAINSHEET_OUTPUT: join(directory, 'scratch', 'output'),
      MAINSHEET_RUN_ID: directory,
      MAINSHEET_STOP: 'interrupt',
    },
    stdio: ['ignore', 'pipe', 'ignore'],
    detached: true,
  });
  t.after(() => child.exitCode ?? process.kill(-(child.pid ?? 0), 'SIGKILL'));
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  const pids = [child.pid ?? 0, Number(line.toString())];
  return { pids, signals: async () => await readFile(notes, 'utf8').catch(() => '') };
}

test('what has to be let finish gets one SIGINT, however often the controller dies, and is waited for before its run goes on', async (t) => {
  const directory = await dataDirectory(t);
  const { pids, signals } = await startFinishing(t, directory);
  let looks = 0;
  const sleep: typeof systemClock.sleep = async (...args) => {
    looks += 1;
    await systemClock.sleep(...args);
  };
  const start = () =>
    createOrphans({
      clock: { ...systemClock, sleep },
      graceMs: 0,
      interrupt: createInterrupt(join(directory, 'interrupted')),
    });
  assert.equal(await start().endBelow(directory), 0);
  await until('it was told', async () => (await signals()) === 'program SIGINT\n');
  const second = start();
  assert.equal(await second.endBelow(directory), 0);
  assert.deepEqual(await Promise.all(pids.map(second.isFinishing)), [true, true]);
  let hasEnded = false;
  looks = 0;
  const ended = second.endOfRun(directory).finally(() => (hasEnded = true));
  await until('it has looked again and again', () => looks >= 3);
  assert.equal(hasEnded, false);
  assert.deepEqual(pids.filter(isAlive), pids);
  await writeFile(join(directory, 'go'), '');
  assert.equal(await ended, 2);
  assert.equal(await signals(), 'program SIGINT\n');
});

test('what has to be let finish and does not is ended as others are', async (t) => {
  const directory = await dataDirectory(t);
  const { pids } = await startFinishing(t, directory);
  const impatient = createOrphans({ clock: systemClock, graceMs: 300, finishMs: 0 });
  await impatient.endOfRun(directory);
  assert.deepEqual(pids.filter(isAlive), []);
});
