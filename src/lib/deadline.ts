import type { Clock } from './clock.ts';

/** The result of `work`; rejects with an Error that begins with `late` when it takes longer. `work` itself goes on. */
export type Within = <Result>(work: Promise<Result>, late: string) => Promise<Result>;

/** One limit of `ms` milliseconds for many pieces of work at once: a timer for each would cost more than most of them do. */
export function createDeadline(clock: Pick<Clock, 'elapsed' | 'sleep'>, ms: number): Within {
  /** In the order in which they are due. */
  const open = new Set<{ due: number; end: () => void }>();
  let watching: AbortController | undefined;

  async function watch(): Promise<void> {
    const { signal } = (watching = new AbortController());
    while (!signal.aborted) {
      const [first] = open;
      if (first === undefined) {
        watching = undefined;
        return;
      }
      await clock.sleep(Math.max(0, first.due - clock.elapsed()), signal);
      if (!signal.aborted && open.delete(first)) first.end();
    }
  }

  return (work, late) =>
    new Promise((resolve, reject) => {
      const one = {
        due: clock.elapsed() + ms,
        end: () => reject(new Error(`${late} within ${ms / 1000} seconds`)),
      };
      open.add(one);
      if (watching === undefined) void watch();
      const over = () => {
        open.delete(one);
        if (open.size > 0) return;
        watching?.abort();
        watching = undefined;
      };
      work.finally(over).then(resolve, reject);
    });
}
