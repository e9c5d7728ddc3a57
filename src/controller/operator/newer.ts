import { sameRepository } from '../../model/event.ts';
import type { Run } from '../../model/run.ts';
import type { Tables } from '../../store/index.ts';

/** What a retry takes the place of. */
export interface Newer {
  run: Run;
  /** As in "which …". */
  does: 'waits' | 'runs' | 'is deployed';
}

/**
 * The newest run of a spec that came after one of its runs, with another revision, and waits, runs or is deployed where that one
 * deploys: when the older run is done again, its revision comes after this one. Undefined without such.
 */
export async function newerThan(
  { runs, environments }: Pick<Tables, 'runs' | 'environments'>,
  older: Run,
): Promise<Newer | undefined> {
  const isNewer = (run: Run) =>
    run.sequence > older.sequence &&
    run.sha !== older.sha &&
    sameRepository(run.repository, older.repository);
  const active = (await runs.activeAt(older)).findLast(isNewer);
  if (active !== undefined)
    return { run: active, does: active.state === 'running' ? 'runs' : 'waits' };
  const place = await environments.get(older);
  const deployed = place && (await runs.get(place.run));
  return deployed !== undefined && isNewer(deployed)
    ? { run: deployed, does: 'is deployed' }
    : undefined;
}
