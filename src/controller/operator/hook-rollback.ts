import { MainsheetError, RetryableError } from '../../lib/errors.ts';
import { firstRollback, isRollback } from '../../runs/repeated.ts';
import type { Tables } from '../../store/index.ts';
import type { Operate, RolledBackIn } from './operate.ts';
import { LONGEST_REASON } from './reason.ts';

/** What a request to a hook asks for. */
export interface AskedRollback {
  spec: string;
  /** The configured hook: the actor. */
  hook: string;
  delivery: string;
  /** In the sender's words. */
  reason: string;
}

/**
 * Rolls a spec back in the transaction that closes the delivery, so once for each. Answers what it has changed, or why
 * nothing is done. `deploy`s of others wait for the transaction's end (`Pauses.lock`).
 */
export type HookRollback = (tables: Tables, asked: AskedRollback) => Promise<RolledBackIn | string>;

export function createHookRollback(
  operate: Pick<Operate, 'checkRollback' | 'rollbackSpecIn'>,
): HookRollback {
  return async (tables, { spec, hook, delivery, reason }) => {
    await tables.pauses.lock('to change');
    const before = await whyNotAgain(tables, spec);
    if (before !== undefined) return before;
    try {
      await operate.checkRollback(tables, spec);
    } catch (error) {
      // The other specs of the hook have their runs all the same.
      if (error instanceof MainsheetError && !(error instanceof RetryableError))
        return error.message;
      throw error;
    }
    // A sender's text is cut, where a person's is refused.
    const how = { reason: reason.slice(0, LONGEST_REASON).toWellFormed(), delivery };
    return await operate.rollbackSpecIn(tables, spec, `hook:${hook}`, how);
  };
}

/** An alert comes again while it lasts: what was taken back once is not taken back further. */
export async function whyNotAgain(
  tables: Pick<Tables, 'audit' | 'environments' | 'runs'>,
  spec: string,
): Promise<string | undefined> {
  const places = (await tables.environments.list()).filter((place) => place.spec === spec);
  const [newest] = places.toSorted((a, b) => b.deployedAt - a.deployedAt);
  const deployed = newest && (await tables.runs.get(newest.run));
  if (deployed === undefined) return undefined;
  const under = await firstRollback(tables, await tables.runs.activeAt(deployed));
  if (under !== undefined) return `run ${under.id} is rolling it back already`;
  if (!(await isRollback(tables, deployed))) return undefined;
  return `it was rolled back to ${deployed.sha.slice(0, 7)} already (run ${deployed.id})`;
}
