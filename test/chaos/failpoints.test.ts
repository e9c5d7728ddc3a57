import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { test } from 'node:test';
import { FAILPOINTS } from '../../src/lib/failpoint.ts';
import { createRandom } from '../support/random.ts';
import { runChaos } from './chaos.ts';
import { everyFailpoint } from './murders.ts';

test('G6 killed at every failpoint: every acknowledged delivery is processed, every run ends, GitHub shows its true end', async (t) => {
  const seed = randomInt(2 ** 31);
  const { problems, ...report } = await runChaos({
    engine: 'sqlite',
    replicas: 1,
    seed,
    roundOf: FAILPOINTS.length,
    murders: everyFailpoint(createRandom(seed + 1)),
  });
  t.diagnostic(JSON.stringify(report));
  assert.deepEqual(problems, [], `seed ${seed}`);
  assert.deepEqual(Object.keys(report.deaths).toSorted(), FAILPOINTS.toSorted());
});
