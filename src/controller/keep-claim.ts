import type { Clock } from '../lib/clock.ts';

/**
 * Does `work` on something that was claimed just now for `leaseMs`, and makes the claim last while it goes on: `renew` is
 * called three times in a lease and says whether the claim still holds. The signal that `work` gets aborts with `signal`,
 * and when the claim is lost or could not be renewed until its end, because from then on it may be another's.
 */
export async function keepClaim<Result>(
  deps: {
    clock: Clock;
    leaseMs: number;
    renew: (leaseUntil: number) => Promise<boolean>;
    signal: AbortSignal;
  },
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const { clock, leaseMs } = deps;
  const lost = new AbortController();
  let heldUntil = clock.now() + leaseMs;

  async function beat(): Promise<void> {
    const leaseUntil = clock.now() + leaseMs;
    try {
      if (await deps.renew(leaseUntil)) heldUntil = leaseUntil;
      else lost.abort();
    } catch {
      // The database is away: until the lease ends it may come back.
      if (clock.now() >= heldUntil) lost.abort();
    }
  }

  const timer = setInterval(() => void beat(), leaseMs / 3);
  try {
    return await work(AbortSignal.any([deps.signal, lost.signal]));
  } finally {
    clearInterval(timer);
  }
}
