import type { LoadedSpec } from '../../model/deployment-spec.ts';
import { nextTime, scheduleEventName, type ScheduleTrigger } from '../../model/schedule.ts';
import type { Run } from '../../model/run.ts';
import type { OpenBatch } from '../../store/batches.ts';
import type { Chain } from '../../store/chains.ts';
import { missedCursor } from '../../controller/maintenance/schedules.ts';
import type { Viewer } from '../auth/viewer.ts';
import { chainGraphs, type ChainGraph } from './chain-graph.ts';
import { readOverview, type OverviewDeps, type Place } from './overview.ts';
import { readPreviews, type PreviewView } from './previews.ts';

/** Of each kind so many are shown. */
const MOST = 200;
/** Times of a schedule that are foreseen. */
const MOST_TIMES = 3;

/** A spec that is to be started by a run of another one, and is not yet. */
export interface Promotion {
  /** `soak`: what was deployed has to stay healthy until `at` · `gate`: its run waits, for people or a window. */
  kind: 'soak' | 'gate';
  from: string | undefined;
  to: string;
  sha: string;
  /** The run that is promoted, or that waits. */
  run: Run;
  /** When it starts. */
  at: number | undefined;
  /** What it waits for. */
  reason: string;
}

/** A run that gathers events before it starts. */
export interface Gathering extends OpenBatch {
  of: Run;
  /** With so many events it waits no longer; undefined when its spec is gone. */
  most: number | undefined;
}

export interface Scheduled {
  spec: string;
  environment: string;
  schedule: ScheduleTrigger;
  /** Its next times, in milliseconds since the epoch; fewer when it has an end. */
  next: number[];
  /** The newest time that it meant of which there is a run. */
  last: { due: number; run: Run } | undefined;
  /** The newest time that was left out because no Mainsheet was running. */
  missed: number | undefined;
}

/** What starts by itself, and what waits before it does. */
export interface Automation {
  chains: ChainGraph[];
  /** What is where, by the spec. */
  places: ReadonlyMap<string, Place>;
  promotions: Promotion[];
  batches: Gathering[];
  schedules: Scheduled[];
  previews: PreviewView[];
}

/** As far as a viewer may see it. */
export async function readAutomation(
  deps: OverviewDeps & { clock: { now(): number } },
  viewer: Viewer,
): Promise<Automation> {
  const { catalog } = deps;
  const specs = catalog.current().specs.filter(({ spec }) => viewer.canSee(spec.repository));
  const overview = await readOverview(deps, viewer);
  const places = new Map(overview.places.toReversed().map((place) => [place.spec, place]));
  const [soaking, batches, schedules, previews] = await Promise.all([
    readSoaking(deps, viewer),
    readBatches(deps, viewer),
    readSchedules(deps, specs),
    readPreviews(deps.store, viewer),
  ]);
  const gated = await Promise.all(
    overview.blocked
      .filter(({ event }) => event === 'deployment')
      .map((run) => gatedPromotion(deps, run)),
  );
  return {
    chains: chainGraphs(specs),
    places,
    promotions: [...gated, ...soaking],
    batches,
    schedules,
    previews,
  };
}

async function readSoaking({ store }: OverviewDeps, viewer: Viewer): Promise<Promotion[]> {
  const waiting = await store.chains.waiting(MOST);
  const found = await Promise.all(
    waiting.map(async (chain: Chain): Promise<Promotion[]> => {
      const run = await store.runs.get(chain.run);
      if (run === undefined || !viewer.canSee(run.repository)) return [];
      const { spec: from, sha } = run;
      const reason = `starts when ${from} has been healthy for long enough`;
      return [{ kind: 'soak', from, to: chain.spec, sha, run, at: chain.dueAt, reason }];
    }),
  );
  return found.flat();
}

async function gatedPromotion({ store }: OverviewDeps, run: Run): Promise<Promotion> {
  const chain = await store.chains.ofDelivery(run.delivery);
  const from = chain && (await store.runs.get(chain.run))?.spec;
  const { spec: to, sha, reason } = run;
  return { kind: 'gate', from, to, sha, run, at: undefined, reason };
}

async function readBatches({ store, catalog }: OverviewDeps, viewer: Viewer): Promise<Gathering[]> {
  const open = await store.batches.gathering(MOST);
  const found = await Promise.all(
    open.map(async (batch): Promise<Gathering[]> => {
      const of = await store.runs.get(batch.run);
      if (of === undefined || !viewer.canSee(of.repository)) return [];
      return [{ ...batch, of, most: catalog.byName(batch.spec)?.spec.batch?.most }];
    }),
  );
  return found.flat();
}

async function readSchedules(
  { store, recentRuns, clock }: OverviewDeps & { clock: { now(): number } },
  specs: readonly LoadedSpec[],
): Promise<Scheduled[]> {
  const all = specs.flatMap(({ spec }) =>
    (spec.on.schedules ?? []).map((schedule) => ({ spec, schedule })),
  );
  const scheduled = await Promise.all(
    all.slice(0, MOST).map(async ({ spec, schedule }): Promise<Scheduled> => {
      const runs = await recentRuns.of(spec.name);
      const missed = await store.cursors.get(missedCursor(spec.name, schedule));
      return {
        spec: spec.name,
        environment: spec.environment,
        schedule,
        next: timesAfter(schedule, clock.now()),
        last: lastOf(spec.name, schedule, runs),
        missed: missed === undefined ? undefined : Date.parse(missed),
      };
    }),
  );
  return scheduled.toSorted((a, b) => (a.next[0] ?? Infinity) - (b.next[0] ?? Infinity));
}

function timesAfter(schedule: ScheduleTrigger, now: number): number[] {
  const times: number[] = [];
  for (let at = nextTime(schedule, now); at !== undefined && times.length < MOST_TIMES;) {
    times.push(at);
    at = nextTime(schedule, at);
  }
  return times;
}

/** A delivery of a schedule has the time that was meant in its id; of several schedules of a spec it is that one's which means it. */
function lastOf(spec: string, schedule: ScheduleTrigger, runs: readonly Run[]): Scheduled['last'] {
  const prefix = `${scheduleEventName(spec)}:`;
  const dueOf = ({ delivery }: Run) => Date.parse(delivery.slice(prefix.length));
  // To ask what a schedule means takes time: the newest that it means is enough.
  const run = runs.find(
    (one) => one.delivery.startsWith(prefix) && nextTime(schedule, dueOf(one) - 1) === dueOf(one),
  );
  return run && { due: dueOf(run), run };
}
