/** One piece of work at a time for each key, in the order of the calls. */
export interface Mutex {
  /** Does `work` when all that came before under this key is over, however it ended. Ends as `work` does. */
  run<Result>(key: string, work: () => Promise<Result>): Promise<Result>;
  /** Whether anything under this key is under way or waits. */
  isBusy(key: string): boolean;
}

export function createMutex(): Mutex {
  const last = new Map<string, Promise<unknown>>();
  return {
    async run(key, work) {
      const before = last.get(key);
      const turn = (async () => {
        await before?.catch(() => undefined);
        return await work();
      })();
      last.set(key, turn);
      try {
        return await turn;
      } finally {
        if (last.get(key) === turn) last.delete(key);
      }
    },
    isBusy: (key) => last.has(key),
  };
}
