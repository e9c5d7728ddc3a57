/** What is being worked on at once, and how much more there is room for. */
export interface Slots {
  /** How many are free. */
  room(): number;
  /** Gives a slot to work that has begun, which must not reject. Resolves when it is over. */
  fill(work: Promise<void>): Promise<void>;
  /** Resolves when nothing is under way any more. */
  settled(): Promise<void>;
}

/** `most` slots; `onFree` is called whenever one of them is free again. */
export function createSlots(most: number, onFree: () => void): Slots {
  const taken = new Set<Promise<void>>();
  return {
    room: () => most - taken.size,
    async fill(work) {
      const done = work.finally(() => {
        taken.delete(done);
        onFree();
      });
      taken.add(done);
      await done;
    },
    settled: async () => void (await Promise.all(taken)),
  };
}
