import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test, type TestContext } from 'node:test';
import { systemClock } from '../../src/lib/clock.ts';
import { createEndLeftovers } from '../../src/steps/leftovers.ts';
import { needsRoot } from '../support/root.ts';
import { isAlive } from './support.ts';

/** Of this test alone: all of its processes are ended. */
const UID = 61_237;
const endLeftovers = createEndLeftovers({ clock: systemClock, uid: UID });

/** The id that a script of the user prints. */
async function printed(
  t: TestContext,
  program: string,
  args: string[],
  uid: number,
): Promise<number> {
  const child = spawn(program, args, { uid, gid: uid, stdio: ['pipe', 'pipe', 'inherit'] });
  t.after(() => child.kill('SIGKILL'));
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  const pid = Number(line.toString());
  t.after(() => isAlive(pid) && process.kill(pid, 'SIGKILL'));
  return pid;
}

test(
  'what a step has left is ended, also without the environment, group and parent that it had',
  needsRoot,
  async (t) => {
    const hide = 'env -i setsid sh -c "trap : TERM; while :; do sleep 1000; done" & echo $!';
    const pid = await printed(t, 'sh', ['-c', hide], UID);
    assert.ok(isAlive(pid));
    const isSpared = async () => true;
    assert.equal(await createEndLeftovers({ clock: systemClock, uid: UID, isSpared })(), 0);
    assert.ok(isAlive(pid), 'it is spared while it is let finish');
    assert.ok((await endLeftovers()) >= 1);
    assert.equal(isAlive(pid), false);
    assert.equal(await endLeftovers(), 0);
  },
);

test(
  'a process of the same user that another program has started is left alone',
  needsRoot,
  async (t) => {
    const start = `require('child_process').spawn('sleep', ['1000'], { uid: ${UID}, gid: ${UID} }).on('spawn', function () { console.log(String(this.pid)); }); process.stdin.resume();`;
    const pid = await printed(t, process.execPath, ['-e', start], 0);
    assert.equal(await endLeftovers(), 0);
    assert.ok(isAlive(pid));
  },
);
