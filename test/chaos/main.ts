import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { createRandom } from '../support/random.ts';
import { runChaos } from './chaos.ts';
import { ENGINES } from './world.ts';
import { powerCuts, randomMurders } from './murders.ts';

/** `npm run chaos -- --kills 500 [--seed N] [--engine postgres] [--replicas 2] [--power]`: exit code 1 when a promise was broken. */
const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '500' },
    seed: { type: 'string', default: String(randomInt(2 ** 31)) },
    engine: { type: 'string', default: 'sqlite' },
    replicas: { type: 'string', default: '1' },
    power: { type: 'boolean', default: false },
  },
});
const seed = Number(values.seed);
const kills = Number(values.kills);
const replicas = Number(values.replicas);
const engine = ENGINES.find((known) => known === values.engine);
if (engine === undefined) throw new Error(`--engine takes ${ENGINES.join(' or ')}`);
if (!(replicas === 1 || (engine === 'postgres' && replicas > 1))) {
  throw new Error('--replicas takes a whole number, more than 1 with --engine postgres only');
}
if (values.power && engine !== 'sqlite') throw new Error('--power takes --engine sqlite');
if (!Number.isSafeInteger(seed) || !Number.isSafeInteger(kills) || kills < 1) {
  throw new Error('--kills and --seed take whole numbers');
}

/** A run that is interrupted 20 times fails, as it should: before that all have time to end. */
const DEATHS_IN_A_ROUND = 19;

say(`${kills} kills on ${engine}, replicas: ${replicas}, seed ${seed}`);
const report = await runChaos({
  engine,
  replicas,
  seed,
  roundOf: DEATHS_IN_A_ROUND,
  murders: (values.power ? powerCuts : randomMurders)(createRandom(seed + 1), kills),
  onDeath(count) {
    if (count % 25 === 0) say(`${new Date().toISOString()} ${count} kills`);
  },
});
say(JSON.stringify(report, null, 2));
process.exitCode = report.problems.length === 0 ? 0 : 1;

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
