import { sql } from 'kysely';
import { PROTECTION } from '../model/protection.ts';
import type { Run } from '../model/run.ts';
import { createMapping } from './mapping.ts';
import { onPostgres, type Db, type Sql } from './query.ts';

/** A run and its row. */
export const runs = createMapping<Run>({
  names: { sequence: 'seq' },
  json: ['outputs', 'maskedOutputs'],
  others: ['holder', 'lease_until', 'work_tree', 'sealed_outputs', 'look_at', 'asked_by'],
});

// Text and not parameters: with parameters SQLite cannot use the indexes of some states only.
export const ACTIVE: Sql = sql`state in ('queued', 'blocked', 'running')`;
/** Not of a job of Actions, whose run deploys nothing. */
export const DEPLOYS: Sql = sql`event <> ${sql.lit(PROTECTION)}`;
export const ENDED: Sql = sql`state in ('succeeded', 'failed', 'cancelled', 'superseded')`;

/**
 * Whether `attempt` is still the run's latest: else another process has taken it up, and what this one writes must not count.
 * Who takes the run up waits until the statement has ended, or the statement sees that it was taken up.
 */
export function isLatest(db: Db, run: string, attempt: number | undefined): Sql {
  if (attempt === undefined) return sql`true`;
  return sql`exists (select 1 from runs r where r.id = ${run} and r.attempts = ${attempt}
    ${onPostgres(db, sql`for share of r`)})`;
}
