import type { Clock } from '../../lib/clock.ts';
import { describeError } from '../../lib/errors.ts';
import type { Logger } from '../../lib/logger.ts';
import type { Leases } from '../../store/leases.ts';
import { keepClaim } from '../keep-claim.ts';

/** Does what one process is enough for, for as long as no other one does it. */
export interface Leader {
  /** Works, or waits until the one that works has stopped or died, until `signal` aborts. */
  run(signal: AbortSignal): Promise<void>;
}

/**
 * Of several processes one is the leader of `name`: it has the lease, renews it while `work` goes on, and gives it back at
 * the end. When it dies another one takes over after its lease. `work` goes on until its signal aborts.
 */
export function createLeader(deps: {
  name: string;
  leases: Leases;
  /** Names this process among others. */
  holder: string;
  leaseMs: number;
  work: (signal: AbortSignal) => Promise<void>;
  clock: Clock;
  logger: Logger;
}): Leader {
  const { name, leases, holder, leaseMs, clock, logger } = deps;
  const take = (until: number) => leases.take(name, holder, until, clock.now());

  async function turn(signal: AbortSignal): Promise<void> {
    if (!(await take(clock.now() + leaseMs))) return;
    logger.info({ lease: name }, 'became leader');
    try {
      await keepClaim({ clock, leaseMs, renew: take, signal }, deps.work);
    } finally {
      await leases.release(name, holder);
    }
  }

  return {
    async run(signal) {
      while (!signal.aborted) {
        try {
          await turn(signal);
        } catch (error) {
          logger.error({ lease: name, error: describeError(error) }, 'leader interrupted');
        }
        if (!signal.aborted) await clock.sleep(leaseMs / 3, signal);
      }
    },
  };
}
