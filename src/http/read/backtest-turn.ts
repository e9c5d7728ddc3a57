import type { Backtest, BacktestResult } from '../../controller/operator/backtest.ts';
import { ProblemError } from '../problem.ts';

/** What takes longer is stopped. */
const LONGEST_MS = 60_000;

/** A backtest that has at most a minute; one at a time. Throws ProblemError `backtest-busy`, `backtest-too-long`. */
export type RunBacktest = (
  specs: Parameters<Backtest>[0],
  since: number,
  more: NonNullable<Parameters<Backtest>[3]>,
  /** Ends it: who asked has gone. Rejects with its reason. */
  gone: AbortSignal,
) => Promise<BacktestResult>;

export function createRunBacktest(backtest: Backtest): RunBacktest {
  let isBusy = false;

  return async (specs, since, more, gone) => {
    if (isBusy) {
      throw new ProblemError(429, 'backtest-busy', 'another backtest is under way', {
        hint: 'ask again in some seconds',
        headers: { 'Retry-After': '10' },
      });
    }
    isBusy = true;
    const late = AbortSignal.timeout(LONGEST_MS);
    try {
      return await backtest(specs, since, AbortSignal.any([late, gone]), more);
    } catch (cause) {
      if (cause !== late.reason) throw cause;
      throw new ProblemError(
        503,
        'backtest-too-long',
        `it took longer than ${LONGEST_MS / 1000} s`,
        { hint: 'ask for fewer deliveries', cause },
      );
    } finally {
      isBusy = false;
    }
  };
}
