import * as z from 'zod';
import { CHAIN_STATES, type ChainTrigger } from '../model/chain.ts';
import { oneOrMore, specName, wait } from './schema-fields.ts';

const MOST = 20;

const chain = z.strictObject({
  spec: specName.describe('The spec whose runs start this one, at the same revision.'),
  states: oneOrMore(z.enum(CHAIN_STATES), CHAIN_STATES.length)
    .describe('How its run has to end. Default: succeeded.')
    .optional(),
  soak: wait
    .describe(
      'How long what it deployed has to be healthy first, such as 30m: not rolled back, not replaced, and no later run failed. Default: not at all.',
    )
    .optional(),
});

/** The written `on.deployment`: one spec or several. */
export const chains = z.union([
  chain,
  z.array(chain).min(1, 'the list is empty').max(MOST, `more than ${MOST} entries`),
]);

export function toChain(written: z.output<typeof chain>): ChainTrigger {
  return {
    spec: written.spec,
    states: written.states ?? ['succeeded'],
    soakMs: written.soak ?? 0,
  };
}
