import { whyRolledBack } from '../../model/rollback-reason.ts';
import type { Run } from '../../model/run.ts';
import type { Catalog } from '../../spec/catalog.ts';
import type { Deployed, DeployedWhere } from '../../store/deployed.ts';
import type { Page, PageRequest } from '../../store/page.ts';
import type { Store } from '../../store/index.ts';
import type { Viewer } from '../auth/viewer.ts';
import type { Commits, CommitTitle } from './commits.ts';

/** Changes of one day, and runs between two revisions, that are told; the newest. */
const MOST = 200;

/** A revision that was deployed, or taken away, and for how long it was so. */
export interface Change {
  run: Run;
  commit: CommitTitle | undefined;
  /** Who asked for it by hand, else who wrote the commit. */
  by: string | undefined;
  /** Why it was rolled back to. */
  reason: string | undefined;
  /** When it came, in milliseconds. */
  from: number;
  /** When the next one came; undefined: it is what is there. */
  until: number | undefined;
}

/** What was there in a time, and what came in it. */
export interface Period {
  /** In milliseconds; the same for a moment. */
  from: number;
  to: number;
  begin: Change | undefined;
  end: Change | undefined;
  /** Newest first. */
  changes: Change[];
}

/** Two revisions of a place, and all runs of it after the older one, up to the newer one, newest first. */
export interface Comparison {
  older: Change;
  newer: Change;
  runs: Run[];
}

export interface History {
  spec: string;
  repository: string;
  lane: string;
  /** The lanes that it has or had something in, the usual one first. */
  lanes: string[];
  changes: Page<Change>;
  period: Period | undefined;
  /** Undefined when it was not asked for, or one of the two is no run that deployed something there. */
  comparison: Comparison | undefined;
}

/** What is asked of a history. */
export interface HistoryQuestion {
  /** Default: that of the spec. */
  lane: string | undefined;
  page: PageRequest;
  /** A time, in milliseconds. */
  period: { from: number; to: number } | undefined;
  /** The ids of two runs, in any order. */
  compared: readonly [string, string] | undefined;
}

export interface HistoryDeps {
  store: Pick<Store, 'deployed' | 'environments' | 'runs' | 'audit'>;
  catalog: Pick<Catalog, 'byName'>;
  commits: Commits;
}

/** What a spec had deployed in a lane, and when. Undefined for a spec that has none and is none, or that may not be seen. */
export async function readHistory(
  deps: HistoryDeps,
  viewer: Viewer,
  spec: string,
  asked: HistoryQuestion,
): Promise<History | undefined> {
  const { store, catalog } = deps;
  const loaded = catalog.byName(spec)?.spec;
  const { visible } = viewer;
  const newest = await store.runs.list({ limit: 1, before: undefined }, { spec, visible });
  const repository = loaded?.repository ?? newest.items[0]?.repository;
  if (repository === undefined || !viewer.canSee(repository)) return undefined;

  const places = (await store.environments.list()).filter(
    (place) => place.spec === spec && viewer.canSee(place.repository),
  );
  const usual = loaded?.concurrency.lane ?? places[0]?.lane ?? newest.items[0]?.lane ?? '';
  const lane = asked.lane ?? usual;
  const where: DeployedWhere = { spec, lane, visible };
  const describe = (one: Deployed) => describeChange(deps, one);
  const { items, next } = await store.deployed.list(where, asked.page);
  return {
    spec,
    repository,
    lane,
    lanes: [...new Set([usual, ...places.map((place) => place.lane)])],
    changes: { items: await Promise.all(items.map(describe)), next },
    period: asked.period && (await readPeriod(deps, where, asked.period)),
    comparison: asked.compared && (await compare(deps, where, asked.compared)),
  };
}

async function describeChange(
  { store, commits }: HistoryDeps,
  { run, askedBy, until }: Deployed,
): Promise<Change> {
  const commit = await commits(run);
  const entry = run.cause === 'rollback' ? await store.audit.ofMade(run) : undefined;
  return {
    run,
    commit,
    by: askedBy ?? commit?.author,
    reason: entry && whyRolledBack(entry.detail),
    from: run.finishedAt ?? run.createdAt,
    until,
  };
}

async function readPeriod(
  deps: HistoryDeps,
  where: DeployedWhere,
  { from, to }: { from: number; to: number },
): Promise<Period> {
  const { deployed } = deps.store;
  const [begin, end, changes] = await Promise.all([
    deployed.at(where, from),
    deployed.at(where, to),
    deployed.within(where, from, to, MOST),
  ]);
  const describe = (one: Deployed) => describeChange(deps, one);
  return {
    from,
    to,
    begin: begin && (await describe(begin)),
    end: end && (await describe(end)),
    changes: await Promise.all(changes.map(describe)),
  };
}

async function compare(
  deps: HistoryDeps,
  where: DeployedWhere,
  ids: readonly [string, string],
): Promise<Comparison | undefined> {
  const { deployed } = deps.store;
  const [one, other] = await Promise.all(ids.map((id) => deployed.ofRun(where, id)));
  if (one === undefined || other === undefined || one.run.id === other.run.id) return undefined;
  const [older, newer] = one.run.sequence < other.run.sequence ? [one, other] : [other, one];
  return {
    older: await describeChange(deps, older),
    newer: await describeChange(deps, newer),
    runs: await deployed.between(where, older.run, newer.run, MOST),
  };
}
