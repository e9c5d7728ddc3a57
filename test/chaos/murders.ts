import { FAILPOINTS } from '../../src/lib/failpoint.ts';
import type { Random } from '../support/random.ts';
import { randomInstant, type Murder } from './assault.ts';

/** Many murders are to be done, and one at another place is as good. */
const SHORT_MS = 3000;
/** Each place has to be come by, also on a slow machine. */
const LONG_MS = 120_000;

/** Some at failpoints, some at any instant. */
export function randomMurders(random: Random, count: number): Murder[] {
  return Array.from({ length: count }, () =>
    random.chance(0.6)
      ? {
          kind: 'failpoint',
          name: random.pick(FAILPOINTS),
          pass: random.int(1, 5),
          withinMs: SHORT_MS,
        }
      : randomInstant(random),
  );
}

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
    }));
}
