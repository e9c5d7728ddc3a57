import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { test } from 'node:test';
import { createRandom } from '../support/random.ts';
import { runChaos } from './chaos.ts';
import { randomMurders } from './murders.ts';

/** After three it is the other one's turn. */
const KILLS = 5;

test('G6 one of two replicas on PostgreSQL killed anywhere, alone or with all it started: every acknowledged delivery is processed, every run ends, GitHub shows its true end', async (t) => {
  const seed = randomInt(2 ** 31);
  const { problems, ...report } = await runChaos({
    engine: 'postgres',
    replicas: 2,
    seed,
    roundOf: KILLS,
    murders: randomMurders(createRandom(seed + 1), KILLS),
  });
  t.diagnostic(JSON.stringify(report));
  assert.deepEqual(problems, [], `seed ${seed}`);
});
