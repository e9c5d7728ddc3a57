import { createChain } from './chain.ts';
import type { Clock } from './clock.ts';

/** The result of `work`; rejects with an Error that begins with `late` when it takes longer. `work` itself goes on. */
export type Within = <Result>(work: Promise<Result>, late: string) => Promise<Result>;

/** One limit of `ms` milliseconds for many pieces of work at once: a timer for each would cost more than most of them do. */
export function createDeadline(clock: Pick<Clock, 'elapsed' | 'sleep'>, ms: number): Within {
  /** In the order in which they are due. */
  const open = createChain<{ due: number; end: () => void }>();
  let timer: AbortController | undefined;

  async function runTimer(): Promise<void> {
    const { signal } = (timer = new AbortController());
    while (!signal.aborted) {
      const first = open.first();
      if (first === undefined) {
        timer = undefined;
        return;
      }
      await clock.sleep(Math.max(0, first.due - clock.elapsed()), signal);
      if (!signal.aborted && open.first() === first) first.end();
    }
  }

  return (work, late) =>
    new Promise((resolve, reject) => {
      const link = open.add({
        due: clock.elapsed() + ms,
        end() {
          open.remove(link);
          reject(new Error(`${late} within ${ms / 1000} seconds`));
        },
      });
      if (timer === undefined) void runTimer();
      const over = () => {
        open.remove(link);
        if (open.size > 0) return;
        timer?.abort();
        timer = undefined;
      };
      work.then(
        (result) => {
          over();
          resolve(result);
        },
        (error: unknown) => {
          over();
          // oxlint-disable-next-line typescript/prefer-promise-reject-errors -- it is what `work` was rejected with
          reject(error);
        },
      );
    });
}
