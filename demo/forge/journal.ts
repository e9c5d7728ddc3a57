/** A list that only grows, on whose entries one can wait. */
export interface Journal<Entry> {
  readonly entries: readonly Entry[];
  add: (entry: Entry) => void;
  /**
   * Resolves with the first entry, past or to come, that the predicate accepts. Rejects after `timeoutMs`, or when the
   * journal is closed, and says what came instead.
   */
  waitFor: (predicate: (entry: Entry) => boolean, timeoutMs: number) => Promise<Entry>;
  /** Rejects all that wait. */
  close: () => void;
}

export function createJournal<Entry>(describe: (entry: Entry) => string): Journal<Entry> {
  const entries: Entry[] = [];
  const waiting = new Set<{ offer(entry: Entry): void; giveUp(why: string): void }>();
  return {
    entries,
    add(entry) {
      entries.push(entry);
      for (const each of waiting) each.offer(entry);
    },
    waitFor(predicate, timeoutMs) {
      const past = entries.find((entry) => predicate(entry));
      if (past !== undefined) return Promise.resolve(past);
      return new Promise((resolve, reject) => {
        const waiter = {
          offer(entry: Entry) {
            if (!predicate(entry)) return;
            end();
            resolve(entry);
          },
          giveUp(why: string) {
            end();
            const last = entries.slice(-15).map((entry) => `\n  ${describe(entry)}`);
            reject(new Error(`${why}; the last of ${entries.length} entries:${last.join('')}`));
          },
        };
        const timer = setTimeout(() => waiter.giveUp(`nothing came in ${timeoutMs} ms`), timeoutMs);
        const end = () => {
          clearTimeout(timer);
          waiting.delete(waiter);
        };
        waiting.add(waiter);
      });
    },
    close() {
      for (const each of waiting) each.giveUp('closed while waiting');
    },
  };
}
