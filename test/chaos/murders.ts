import { FAILPOINTS } from '../../src/lib/failpoint.ts';
import type { Random } from '../support/random.ts';
import { randomInstant, type Murder } from './assault.ts';

/** Some at failpoints, some at any instant. */
export function randomMurders(random: Random, count: number): Murder[] {
  return Array.from({ length: count }, () =>
    random.chance(0.6)
      ? { kind: 'failpoint', name: random.pick(FAILPOINTS), pass: random.int(1, 5) }
      : randomInstant(random),
  );
}

/** Each failpoint once, in an order of chance. */
export function everyFailpoint(random: Random): Murder[] {
  return FAILPOINTS.map((name) => ({ name, place: random.next() }))
    .toSorted((a, b) => a.place - b.place)
    .map(({ name }) => ({ kind: 'failpoint', name, pass: random.int(1, 2) }));
}
