import { FAILPOINTS } from '../../src/lib/failpoint.ts';
import type { Random } from '../support/random.ts';
import { randomInstant, type Burst, type Murder } from './assault.ts';
import { PAGES, SHOP } from './specs.ts';

/** Many murders are to be done, and one at another place is as good. */
const SHORT_MS = 3000;
/** Each place has to be come by, also on a slow machine. */
const LONG_MS = 120_000;

/** The place that only pushes which come together lead by. */
const TOGETHER = 'intake.together';

/** Some at failpoints, some at any instant; every tenth while pushes of one branch are taken in together. */
export function randomMurders(random: Random, count: number): Murder[] {
  return Array.from({ length: count }, () => {
    const isBurst = random.chance(0.1);
    if (!isBurst && !random.chance(0.6)) return randomInstant(random);
    const name = isBurst ? random.pick(WHILE_TOGETHER) : random.pick(FAILPOINTS);
    const burst = isBurst || name === TOGETHER ? { burst: burstOf(random, 8) } : {};
    return { kind: 'failpoint', name, pass: random.int(1, 5), withinMs: SHORT_MS, ...burst };
  });
}

/** Where a group is judged, and recorded. */
const WHILE_TOGETHER = ['intake.before', 'intake.inside', TOGETHER, 'intake.after'] as const;

const burstOf = (random: Random, pushes: number): Burst => ({
  repository: random.pick([SHOP, PAGES]),
  pushes,
});

/** The power is cut when the world has just seen something. */
export function powerCuts(random: Random, count: number): Murder[] {
  return Array.from({ length: count }, () => ({
    kind: 'power',
    at: random.pick(['answer', 'callback', 'step']),
    withinMs: SHORT_MS,
  }));
}

/** Each failpoint once, in an order of chance. */
export function everyFailpoint(random: Random): Murder[] {
  return FAILPOINTS.map((name) => ({ name, place: random.next() }))
    .toSorted((a, b) => a.place - b.place)
    .map(({ name }) => ({
      kind: 'failpoint',
      name,
      pass: random.int(1, 2),
      withinMs: LONG_MS,
      ...(name === TOGETHER ? { burst: burstOf(random, 4) } : {}),
    }));
}
