import * as z from 'zod';
import { CHAIN_STATES, type ChainTrigger } from '../model/chain.ts';
import { oneOrMore, optional, specName, wait } from './schema-fields.ts';

const MOST = 20;

const chain = z
  .strictObject({
    spec: specName.describe('The spec whose runs start this one, at the same revision.'),
    states: optional(
      'How its run has to end. Default: succeeded.',
      oneOrMore(z.enum(CHAIN_STATES), CHAIN_STATES.length),
    ),
    soak: optional(
      'How long what it deployed has to be healthy first, such as 30m: not rolled back, not replaced, and no later run failed. Default: not at all.',
      wait,
    ),
  })
  .transform(({ spec, states = ['succeeded'], soak = 0 }): ChainTrigger => ({
    spec,
    states,
    soakMs: soak,
  }));

/** The written `on.deployment`: one spec or several. */
export const chains = oneOrMore(chain, MOST);
