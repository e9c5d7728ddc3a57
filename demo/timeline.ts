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

function createTimeline(start: number, show: (stage: Stage) => void): Timeline {
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

/** A timeline for each push, by its commit. */
export interface Timelines {
  /** Begins the timeline of a push of `sha`, or gives the one that is waiting for its delivery. `at` is when it was pushed. */
  begin: (sha: string, at: number) => Timeline;
  /** The timeline of the latest push of `sha`. */
  of: (sha: string) => Timeline | undefined;
  /** Notes a stage of the latest push of `sha`; one that is seen before its timeline has begun is kept for it. */
  note: (sha: string, ...stage: Parameters<Timeline['note']>) => void;
}

/** Stages that are kept for timelines that have not begun. */
const MOST_EARLY = 1000;

/** `show` is told of which commit each stage is. */
export function createTimelines(show: (sha: string, stage: Stage) => void): Timelines {
  const timelines = new Map<string, Timeline>();
  let early: { sha: string; stage: Parameters<Timeline['note']> }[] = [];
  return {
    of: (sha) => timelines.get(sha),
    note(sha, ...stage) {
      const timeline = timelines.get(sha);
      if (timeline !== undefined) timeline.note(...stage);
      else if (early.length < MOST_EARLY) early.push({ sha, stage });
    },
    begin(sha, at) {
      const known = timelines.get(sha);
      // The same commit may be pushed again, after another.
      if (known !== undefined && !known.stages.some(({ stage }) => stage === 'matched'))
        return known;
      const begun = createTimeline(at, (stage) => show(sha, stage));
      timelines.set(sha, begun);
      const own = early.filter((one) => one.sha === sha);
      early = early.filter((one) => one.sha !== sha);
      // After what its beginning says of itself.
      queueMicrotask(() => own.forEach(({ stage }) => begun.note(...stage)));
      return begun;
    },
  };
}
