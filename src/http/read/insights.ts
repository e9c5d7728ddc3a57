import {
  insightsOf,
  percentilesOf,
  type Insights,
  type Percentiles,
  type Range,
} from '../../model/insights.ts';
import type { Store } from '../../store/index.ts';
import type { InsightFilter, StoredRun } from '../../store/insights.ts';

/** Newest runs whose steps are looked at, and whose pushes are read for the time of their commit. */
const MOST_LOOKED_INTO = 1000;
/** Payloads that are read at once. */
const AT_ONCE = 50;
/** Times of commits, and of pushes, that are remembered. */
const MOST_KNOWN = 20_000;

export type StepInsight = { spec: string; step: string } & Percentiles;

export interface InsightsView extends Insights {
  steps: StepInsight[];
  /** False: there were more runs in the range than are looked at, and the newest were. */
  isWhole: boolean;
  /** What was looked at: of a range that is not whole, from the oldest of those runs on. All figures are of it. */
  range: Range;
  /** Only so many runs, the newest, have been looked into: for steps, and for the times of commits. Undefined: all have. */
  lookedInto: number | undefined;
}

export type ReadInsights = (range: Range, filter: InsightFilter) => Promise<InsightsView>;

/** The metrics of a range, from the runs, the steps and the deliveries that are stored. */
export function createReadInsights({ insights }: Pick<Store, 'insights'>): ReadInsights {
  const known = new Map<string, number | undefined>();
  /** When deliveries came; undefined for those that are no pushes. */
  const pushed = new Map<string, number | undefined>();

  /** Of runs: whether their commit had been live before. */
  const again = new Map<string, boolean>();

  /** Of these runs. What another question forgets meanwhile changes nothing of it. */
  async function liveOf(runs: readonly StoredRun[]): Promise<ReadonlySet<string>> {
    if (again.size > MOST_KNOWN) again.clear();
    const unknown = runs
      .filter(
        ({ id, state, delivery }) =>
          state === 'succeeded' && pushed.get(delivery) !== undefined && !again.has(id),
      )
      .map(({ id }) => id);
    const known = runs.filter(({ id }) => again.get(id) === true).map(({ id }) => id);
    const found = await insights.liveBefore(unknown);
    for (const id of unknown) again.set(id, found.has(id));
    return new Set([...known, ...found]);
  }

  async function learnPushes(runs: readonly StoredRun[]): Promise<void> {
    if (pushed.size > MOST_KNOWN) pushed.clear();
    const unknown = runs.map(({ delivery }) => delivery).filter((id) => !pushed.has(id));
    const times = await insights.pushTimes(unknown);
    for (const id of unknown) pushed.set(id, times.get(id));
  }

  async function learn(runs: readonly StoredRun[]): Promise<void> {
    if (known.size > MOST_KNOWN) known.clear();
    const unknown = runs.filter(
      (run) => pushed.get(run.delivery) !== undefined && !known.has(keyOf(run)),
    );
    for (let at = 0; at < unknown.length; at += AT_ONCE) {
      const some = unknown.slice(at, at + AT_ONCE);
      const pushes = await insights.pushes(some.map(({ delivery }) => delivery));
      const payloads = new Map(pushes.map(({ id, payload }) => [id, payload]));
      for (const run of some) known.set(keyOf(run), committedAt(payloads.get(run.delivery), run));
    }
  }

  return async (asked, filter) => {
    const { runs, before, isWhole } = await insights.runs(asked, filter);
    const from = isWhole ? asked.from : (runs.at(-1)?.finishedAt ?? asked.from);
    const range = { from, to: asked.to };
    const newest = runs.slice(0, MOST_LOOKED_INTO);
    await learnPushes(runs);
    const live = await liveOf(runs);
    await learn(newest.filter(({ state }) => state === 'succeeded'));
    const times = await insights.steps(newest.map(({ id }) => id));
    const steps = Map.groupBy(times, ({ spec, step }) => JSON.stringify([spec, step]));
    return {
      ...insightsOf(
        [...runs, ...before].map((run) => ({
          ...run,
          committedAt: known.get(keyOf(run)),
          pushedAt: pushed.get(run.delivery),
          wasLive: live.has(run.id),
        })),
        range,
      ),
      steps: [...steps.values()]
        .flatMap((of): StepInsight[] => {
          const [{ spec, step } = { spec: '', step: '' }] = of;
          const percentiles = percentilesOf(of.map(({ took }) => took));
          return percentiles === undefined ? [] : [{ spec, step, ...percentiles }];
        })
        .sort((a, b) => b.p50 - a.p50),
      isWhole,
      range,
      lookedInto: runs.length > MOST_LOOKED_INTO ? MOST_LOOKED_INTO : undefined,
    };
  };
}

function keyOf({ delivery, sha }: StoredRun): string {
  return `${delivery} ${sha}`;
}

/** Everything in a payload is whatever the sender put there. */
function committedAt(payload: string | undefined, { sha }: StoredRun): number | undefined {
  if (payload === undefined) return undefined;
  try {
    const head = (JSON.parse(payload) as { head_commit?: { id?: unknown; timestamp?: unknown } })
      .head_commit;
    if (head?.id !== sha || typeof head.timestamp !== 'string') return undefined;
    const at = Date.parse(head.timestamp);
    return Number.isNaN(at) ? undefined : at;
  } catch {
    return undefined;
  }
}
