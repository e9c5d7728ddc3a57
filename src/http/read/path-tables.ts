import type { Why } from '../../controller/operator/why.ts';
import type { Delivery } from '../../model/delivery.ts';
import type { DeploymentSpec } from '../../model/deployment-spec.ts';
import type { Json } from '../../model/event.ts';
import type { Run } from '../../model/run.ts';
import type { Reason } from '../../model/verdict.ts';
import { readSnapshot } from '../../runs/snapshot.ts';
import { toEvent } from '../../sources/events.ts';
import type { Catalog } from '../../spec/catalog.ts';
import { newTableRoom, tabulateFor, type PathsOfSpec } from '../../spec/path-table.ts';
import type { Store } from '../../store/index.ts';
import type { Viewer } from '../auth/viewer.ts';

/** Characters of a payload; a larger one is not read for this. */
const MOST_PAYLOAD = 2_000_000;

/** `asOf`: the spec is the one that the run was made from, or as it is now. */
export type PathsView = PathsOfSpec & { asOf: 'run' | 'now' };

/** `not-kept`: git alone knew the files of the push. */
export type PathsShown = PathsView | 'not-kept';

export interface PathTableDeps {
  store: Pick<Store, 'snapshots'>;
  catalog: Pick<Catalog, 'byName'>;
}

/**
 * The changed files of a push beside the patterns of each spec that was asked about them, by the spec's name. Made when it is asked
 * for.
 */
export async function readPathTables(
  { store, catalog }: PathTableDeps,
  viewer: Pick<Viewer, 'canSee'>,
  { delivery, payload, runs }: { delivery: Delivery; payload: string; runs: readonly Run[] },
): Promise<ReadonlyMap<string, PathsShown>> {
  const tables = new Map<string, PathsShown>();
  const asked = (delivery.outcome?.specs ?? []).filter(({ verdict }) => asksForPaths(verdict));
  const event = asked.length === 0 ? undefined : eventOf(delivery.event, payload);
  if (event === undefined) return tables;
  const room = newTableRoom();
  for (const { spec: name, run: id } of asked) {
    const run = runs.find((one) => one.id === id);
    const found = (run && (await specOf(run))) ?? now(name);
    // It may be another repository's by now.
    if (found === undefined || !viewer.canSee(found.spec.repository)) continue;
    const table = await tabulateFor(found.spec, event, room);
    if (table !== undefined) tables.set(name, { ...table, asOf: found.asOf });
    else if (event.kind === 'push' && !event.changedPaths.complete) tables.set(name, 'not-kept');
  }
  return tables;

  async function specOf(run: Run): Promise<Found | undefined> {
    try {
      return { spec: (await readSnapshot(store, run.specDigest)).spec, asOf: 'run' };
    } catch {
      return undefined;
    }
  }

  function now(name: string): Found | undefined {
    const spec = catalog.byName(name)?.spec;
    return spec && { spec, asOf: 'now' };
  }
}

/** The same for what became of commits, by the spec's name, as far as it was decided by files. */
export async function pathsOfWhys(
  deps: PathTableDeps & { store: Pick<Store, 'inbox'> },
  viewer: Pick<Viewer, 'canSee'>,
  whys: readonly Pick<Why, 'delivery' | 'reasons' | 'spec'>[],
): Promise<ReadonlyMap<string, PathsShown>> {
  const shown = new Map<string, PathsShown>();
  const byFiles = whys.filter(asksForPaths);
  for (const [id = '', ofDelivery] of Map.groupBy(byFiles, ({ delivery }) => delivery)) {
    const entry = await deps.store.inbox.get(id);
    if (entry === undefined || !viewer.canSee(entry.delivery.repository)) continue;
    const tables = await readPathTables(deps, viewer, { ...entry, runs: [] });
    for (const { spec } of ofDelivery) {
      const table = tables.get(spec);
      if (table !== undefined) shown.set(spec, table);
    }
  }
  return shown;
}

const asksForPaths = ({ reasons }: { reasons: readonly Reason[] }): boolean =>
  reasons.some(({ condition }) => condition.startsWith('on.push.paths'));

type Found = { spec: DeploymentSpec; asOf: PathsView['asOf'] };

function eventOf(name: string, payload: string) {
  if (payload === '' || payload.length > MOST_PAYLOAD) return undefined;
  try {
    return toEvent(name, JSON.parse(payload) as Json);
  } catch {
    return undefined;
  }
}
