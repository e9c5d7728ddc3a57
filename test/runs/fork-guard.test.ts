import assert from 'node:assert/strict';
import { test } from 'node:test';
import { guardFork } from '../../src/runs/fork-guard.ts';
import type { Preview } from '../../src/store/previews.ts';
import { sampleRun } from '../store/samples.ts';

const RUN = { ...sampleRun('r1'), sequence: 1, ref: 'refs/pull/7/head' } as const;
const USER = { uid: 1, gid: 1 };

const guard = (fork: boolean | undefined, secrets: string[], stepUser?: typeof USER) => {
  const previews = { get: async () => (fork === undefined ? undefined : ({ fork } as Preview)) };
  const store = { previews } as never;
  return guardFork({ store, stepUser }, { ...RUN, event: 'pull_request' }, { secrets });
};

test("a fork's code runs neither with secrets nor as Mainsheet's own user, whatever was said when its run was made", async () => {
  await guard(false, ['TOKEN']);
  await guard(true, [], USER);
  for (const fork of [true, undefined]) {
    await assert.rejects(guard(fork, ['TOKEN'], USER), {
      code: 'fork-refused',
      message: /secrets/,
    });
    await assert.rejects(guard(fork, []), { code: 'fork-refused', message: /user of their own/ });
  }
});
