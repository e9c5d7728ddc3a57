import type { Clock } from '../lib/clock.ts';
import { describeError } from '../lib/errors.ts';
import type { Check } from '../lib/check.ts';
import type { CheckResult, CheckUp } from '../http/read/settings.ts';

/** What takes longer is not waited for. */
const MOST_MS = 30_000;

/** One look at a time, with an end. `examine` gives each check as soon as it is known. */
export function createCheckUp(deps: {
  examine: (signal: AbortSignal) => AsyncIterable<Check>;
  clock: Pick<Clock, 'now' | 'sleep'>;
}): CheckUp {
  const { examine, clock } = deps;
  let last: CheckResult | undefined;
  let underWay: Promise<CheckResult> | undefined;

  async function look(): Promise<CheckResult> {
    const over = new AbortController();
    const checks: Check[] = [];
    const all = (async () => {
      try {
        for await (const check of examine(over.signal)) {
          if (over.signal.aborted) return false;
          checks.push(check);
        }
        return true;
      } catch (error) {
        if (over.signal.aborted) return false;
        checks.push({ subject: 'checks', state: 'fail', detail: describeError(error) });
        return true;
      }
    })();
    const timer = new AbortController();
    const late = clock.sleep(MOST_MS, timer.signal).then(
      () => false,
      () => false,
    );
    const isWhole = await Promise.race([all, late]);
    timer.abort();
    over.abort();
    last = { at: clock.now(), checks: [...checks], isWhole };
    return last;
  }

  return {
    last: () => last,
    look: () => (underWay ??= look().finally(() => (underWay = undefined))),
  };
}
