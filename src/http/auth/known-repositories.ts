import type { Clock } from '../../lib/clock.ts';
import { elsewhere } from '../../lib/names.ts';
import type { Catalog } from '../../spec/catalog.ts';
import type { Store } from '../../store/index.ts';

/** Repositories that a person's rights are asked for at most. */
const MOST = 1000;
/** Those of specs are always the newest; which others have rows is looked up this often. */
const FRESH_MS = 60_000;

/** The repositories of GitHub that specs name, and then those that have runs or are deployed: in small letters. */
export function createKnownRepositories(deps: {
  store: Pick<Store, 'runs' | 'environments'>;
  catalog: Pick<Catalog, 'current'>;
  clock: Pick<Clock, 'elapsed'>;
}): () => Promise<readonly string[]> {
  const { store, catalog, clock } = deps;
  let rows: { at: number; names: Promise<string[]> } | undefined;

  async function look(): Promise<string[]> {
    const [places, runs] = await Promise.all([
      store.environments.list(),
      store.runs.repositories(MOST),
    ]);
    return [...places.map(({ repository }) => repository), ...runs];
  }

  return async () => {
    if (rows === undefined || clock.elapsed() - rows.at >= FRESH_MS) {
      rows = { at: clock.elapsed(), names: look() };
      rows.names.catch(() => (rows = undefined));
    }
    const named = catalog.current().specs.map(({ spec }) => spec.repository);
    const all = [...named, ...(await rows.names)].map((name) => name.toLowerCase());
    return [...new Set(all)].filter((name) => elsewhere(name) === undefined).slice(0, MOST);
  };
}
