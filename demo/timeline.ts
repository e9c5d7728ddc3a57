/** Something that was seen to happen, and when. */
export interface Stage {
  stage: string;
  detail: string;
  /** Milliseconds since the push. */
  ms: number;
}

/** Collects stages and shows each as it happens. */
export interface Timeline {
  stages: readonly Stage[];
  /** Notes a stage; `at` is milliseconds since the epoch. The same stage with the same detail is noted once. */
  note: (stage: string, detail: string, at: number) => void;
  /** Resolves when a stage of this name has been noted. */
  reached: (stage: string) => Promise<void>;
}

export function createTimeline(start: number, show: (stage: Stage) => void): Timeline {
  const stages: Stage[] = [];
  const waiting = new Map<string, (() => void)[]>();
  return {
    stages,
    note(stage, detail, at) {
      if (stages.some((known) => known.stage === stage && known.detail === detail)) return;
      const noted = { stage, detail, ms: Math.max(0, at - start) };
      stages.push(noted);
      show(noted);
      for (const resolve of waiting.get(stage) ?? []) resolve();
      waiting.delete(stage);
    },
    async reached(stage) {
      if (stages.some((known) => known.stage === stage)) return;
      await new Promise<void>((resolve) => {
        waiting.set(stage, [...(waiting.get(stage) ?? []), resolve]);
      });
    },
  };
}
