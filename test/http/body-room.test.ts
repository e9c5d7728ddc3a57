import assert from 'node:assert/strict';
import { setImmediate } from 'node:timers/promises';
import { test } from 'node:test';
import { BODY_LIMITS, createBodyRoom } from '../../src/http/body-room.ts';

const KIB = 1024;

/** A room whose time passes by hand. */
function makeRoom() {
  let now = 0;
  let wake = () => {};
  const room = createBodyRoom(
    {
      elapsed: () => now,
      sleep: (_ms, signal) =>
        new Promise((resolve) => {
          wake = resolve;
          signal?.addEventListener('abort', () => resolve());
        }),
    },
    BODY_LIMITS,
  );
  const ended: string[] = [];
  return {
    ended,
    enter: (name: string) => room.enter(({ code }) => ended.push(`${name} ${code}`)),
    async pass(ms: number) {
      // What is there after a turn is watched.
      await setImmediate();
      now += ms;
      wake();
      for (let turns = 0; turns < 3; turns += 1) await setImmediate();
    },
  };
}

test('a body that stalls is ended, however much it brought before; one that goes on is not', async () => {
  const { enter, pass, ended } = makeRoom();
  const stalled = enter('stalled');
  const steady = enter('steady');
  enter('silent');
  stalled.take(20_000 * KIB);
  steady.take(100 * KIB);
  await pass(5000);
  assert.deepEqual(ended, ['silent body-too-slow']);
  steady.take(100 * KIB);
  await pass(5000);
  assert.deepEqual(ended, ['silent body-too-slow', 'stalled body-too-slow']);
});

test('a body has a whole window of time, and is not to blame while the reading is held up', async () => {
  const { enter, pass, ended } = makeRoom();
  const heldUp = enter('held up');
  heldUp.take(2000 * KIB);
  heldUp.holdUp(true);
  await pass(3000);
  enter('late');
  await pass(2000);
  assert.deepEqual(ended, []);
  heldUp.holdUp(false);
  await pass(3000);
  assert.deepEqual(ended, ['late body-too-slow']);
});

test('what comes while this process itself was held up counts', async () => {
  const { enter, pass, ended } = makeRoom();
  const body = enter('body');
  const looked = pass(60_000);
  body.take(100 * KIB);
  await looked;
  assert.deepEqual(ended, []);
});
