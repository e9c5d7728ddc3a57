import { whyRolledBack } from '../../model/rollback-reason.ts';
import { isProtection } from '../../model/protection.ts';
import { type Run, type RunState, type Step } from '../../model/run.ts';
import { isHeldBy, type SeenPause } from '../../model/pause.ts';
import type { Catalog } from '../../spec/catalog.ts';
import type { SpecProblem } from '../../spec/problem.ts';
import type { Environment } from '../../store/environments.ts';
import type { Store } from '../../store/index.ts';
import type { OutboxEntry } from '../../store/outbox.ts';
import type { Viewer } from '../auth/viewer.ts';
import type { Commits, CommitTitle } from './commits.ts';
import { seenPauses } from './held.ts';
import type { RecentRuns } from './recent-runs.ts';

/** Dead callbacks that are counted; more are as bad. */
const MOST_DEAD = 100;

/** One spec in its environment. */
export interface Place {
  spec: string;
  repository: string;
  environment: string;
  lane: string;
  /** No spec deploys there any more. */
  isRemoved: boolean;
  /** What it is doing, else how its last run ended. */
  state: RunState | 'none';
  pause: SeenPause | undefined;
  /** Of a spec that deploys pull requests, and nothing else: how many are up. */
  previews: number | undefined;
  deployed:
    | (Environment & { commit: CommitTitle | undefined; cause: Run['cause'] | undefined })
    | undefined;
  /** What waits or runs, the newest first; of pull requests too. */
  active: Run[];
  /** There is more that waits or runs than `active` has. */
  isMoreActive: boolean;
  /** Newest first, whether they have ended or not. */
  recent: Run[];
  /** How long its successful runs usually take, in milliseconds. */
  usualMs: number | undefined;
}

/** A run that is under way. */
export interface Running {
  run: Run;
  commit: CommitTitle | undefined;
  step: Step | undefined;
  steps: number;
  usualMs: number | undefined;
}

export interface Overview {
  places: Place[];
  running: Running[];
  /** Waiting, with a reason that an operator may do something about. */
  blocked: Run[];
  pauses: SeenPause[];
  /** Places where an older revision was brought back, with who did it and why, when that is known. */
  rolledBack: {
    place: Place;
    by: string | undefined;
    reason: string | undefined;
    at: number;
  }[];
  dead: OutboxEntry[];
  problems: readonly SpecProblem[];
  /** The specs on disk are not those in use. */
  stale: boolean;
}

export interface OverviewDeps {
  store: Store;
  catalog: Catalog;
  recentRuns: RecentRuns;
  commits: Commits;
}

/** What is deployed where, what moves, and what needs people, as far as a viewer may see it. */
export async function readOverview(deps: OverviewDeps, viewer: Viewer): Promise<Overview> {
  const { store, catalog } = deps;
  const { specs, problems, stale, loadedAt } = catalog.current();
  const [deployed, pauses, dead] = await Promise.all([
    store.environments.list(),
    seenPauses(deps, viewer),
    store.outbox.list(
      { limit: MOST_DEAD, before: undefined },
      { state: 'dead', visible: viewer.visible },
    ),
  ]);
  const isOfPulls = specs.some(({ spec }) => spec.on.pullRequest !== undefined);
  const up = isOfPulls ? await store.previews.counts(viewer.visible) : undefined;
  const named = specs
    .map(({ spec }) => spec)
    .filter(({ repository }) => viewer.canSee(repository))
    .map(({ name, repository, environment, on, concurrency: { lane } }) => ({
      spec: name,
      repository,
      environment,
      lane,
      isRemoved: false,
      previews: on.pullRequest === undefined ? undefined : (up?.get(name) ?? 0),
    }));
  const isNamed = (one: Environment) =>
    named.some(({ spec, lane }) => spec === one.spec && lane === one.lane);
  // While no spec could be read, none is known to be gone.
  const removed = deployed
    .filter((one) => viewer.canSee(one.repository) && !isNamed(one))
    .map(({ spec, repository, environment, lane }) => ({
      spec,
      repository,
      environment,
      lane,
      isRemoved: loadedAt !== 0,
      previews: undefined,
    }));
  const underWay = await deps.recentRuns.underWay();
  const active = underWay.runs.filter(({ repository }) => viewer.canSee(repository));
  const all = [...named, ...removed];
  const bySpec = Map.groupBy(all, ({ spec }) => spec);
  const activeOf = Map.groupBy(active, (run) => placeOf(bySpec.get(run.spec) ?? [], run));
  const places = await Promise.all(
    all.map(async (place): Promise<Place> => {
      const own = activeOf.get(place) ?? [];
      const isMoreActive = underWay.isCut || underWay.more.has(place.spec);
      return { ...(await fill(deps, viewer, place, own, deployed, pauses)), isMoreActive };
    }),
  );
  return {
    places,
    running: await Promise.all(
      active
        .filter(({ state }) => state === 'running')
        .map((run) => describeRunning(deps, run, placeOf(places, run)?.usualMs)),
    ),
    blocked: active.filter(({ state }) => state === 'blocked'),
    pauses: pauses.filter((pause) => places.some((place) => isHeldBy(place, pause))),
    rolledBack: await findRolledBack(store, places),
    dead: dead.items,
    problems: viewer.visible === undefined ? problems : [],
    stale: viewer.visible === undefined && stale,
  };
}

/** The place of a run: that of its lane, else that of its spec, which has one lane for each pull request. */
export function placeOf<Known extends Pick<Place, 'spec' | 'lane' | 'isRemoved'>>(
  places: readonly Known[],
  run: Pick<Run, 'spec' | 'lane'>,
): Known | undefined {
  const own = places.filter(({ spec }) => spec === run.spec);
  return own.find(({ lane }) => lane === run.lane) ?? own.find(({ isRemoved }) => !isRemoved);
}

async function fill(
  { recentRuns, commits, store }: OverviewDeps,
  viewer: Viewer,
  place: Pick<Place, 'spec' | 'repository' | 'environment' | 'lane' | 'isRemoved' | 'previews'>,
  active: Run[],
  deployed: readonly Environment[],
  pauses: readonly SeenPause[],
): Promise<Omit<Place, 'isMoreActive'>> {
  // The spec may have been another repository's before.
  const recent = (await recentRuns.of(place.spec)).filter(
    ({ lane, repository }) => lane === place.lane && viewer.canSee(repository),
  );
  const here = deployed.find(
    ({ spec, lane, repository }) =>
      spec === place.spec && lane === place.lane && viewer.canSee(repository),
  );
  const run =
    here === undefined
      ? undefined
      : (recent.find(({ id }) => id === here.run) ?? (await store.runs.get(here.run)));
  const last = recent.find(({ state }) => state !== 'superseded');
  return {
    ...place,
    state: firstOf(active) ?? last?.state ?? (here === undefined ? 'none' : 'succeeded'),
    pause: pauses.find((pause) => isHeldBy(place, pause)),
    deployed: here && {
      ...here,
      commit: run && (await commits(run)),
      cause: run?.cause,
    },
    active,
    recent,
    usualMs: usualDuration(recent),
  };
}

/** Of several the one that people care about most. */
function firstOf(active: readonly Run[]): RunState | undefined {
  return (['running', 'blocked', 'queued'] as const).find((state) =>
    active.some((run) => run.state === state),
  );
}

/** The median of those that succeeded. */
export function usualDuration(runs: readonly Run[]): number | undefined {
  const durations = runs
    .filter((run) => run.state === 'succeeded' && !isProtection(run))
    .map(({ startedAt, finishedAt }) => (finishedAt ?? 0) - (startedAt ?? 0))
    .sort((a, b) => a - b);
  return durations[Math.floor(durations.length / 2)];
}

async function describeRunning(
  { store, commits }: OverviewDeps,
  run: Run,
  usualMs: number | undefined,
): Promise<Running> {
  const steps = await store.steps.ofRun(run.id);
  return {
    run,
    commit: await commits(run),
    step: steps.find(({ state }) => state === 'running'),
    steps: steps.length,
    usualMs,
  };
}

/** A rollback is told by who asked for it, as the audit has it. */
async function findRolledBack(
  store: Pick<Store, 'runs' | 'audit'>,
  places: readonly Place[],
): Promise<Overview['rolledBack']> {
  const back = places.filter(({ deployed }) => deployed?.cause === 'rollback');
  return await Promise.all(
    back.map(async (place) => {
      const run = await store.runs.get(place.deployed?.run ?? '');
      const entry = run && (await store.audit.ofMade(run));
      const reason = entry && whyRolledBack(entry.detail);
      return { place, by: entry?.actor, reason, at: place.deployed?.deployedAt ?? 0 };
    }),
  );
}
