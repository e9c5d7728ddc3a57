import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { test } from 'node:test';
import { createRandom } from '../support/random.ts';
import { runChaos } from './chaos.ts';
import { powerCuts } from './murders.ts';

const CUTS = 5;

test('G6 power cuts at any moment: what the world saw is on the disk, and the books balance', async (t) => {
  const seed = randomInt(2 ** 31);
  const { problems, ...report } = await runChaos({
    engine: 'sqlite',
    replicas: 1,
    seed,
    roundOf: CUTS,
    murders: powerCuts(createRandom(seed + 1), CUTS),
  });
  t.diagnostic(JSON.stringify(report));
  assert.deepEqual(problems, [], `seed ${seed}`);
});
