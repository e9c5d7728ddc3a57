import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { test } from 'node:test';
import { createRandom } from '../support/random.ts';
import { runChaos } from './chaos.ts';
import { randomInstants } from './murders.ts';

test('killed at any instant, alone or with all it started, nothing is lost, nothing runs twice, GitHub shows the truth', async (t) => {
  const seed = randomInt(2 ** 31);
  const { problems, ...report } = await runChaos({
    seed,
    murders: randomInstants(createRandom(seed + 1), 12),
  });
  t.diagnostic(JSON.stringify(report));
  assert.deepEqual(problems, [], `seed ${seed}`);
});
