import type { Store } from '../../store/index.ts';

const MOST_KNOWN = 10_000;

/** In which repository a run is, remembered: streams ask for it with each piece of news. Undefined: there is no such run. */
export type RepositoryOfRun = (run: string) => Promise<string | undefined>;

export function createRepositoryOfRun({ runs }: Pick<Store, 'runs'>): RepositoryOfRun {
  const known = new Map<string, string>();
  return async (id) => {
    const found = known.get(id);
    if (found !== undefined) return found;
    const run = await runs.get(id);
    if (run === undefined) return undefined;
    if (known.size >= MOST_KNOWN) known.clear();
    known.set(id, run.repository);
    return run.repository;
  };
}
