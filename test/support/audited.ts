import type { AuditEntry } from '../../src/store/audit.ts';
import type { Tables } from '../../src/store/index.ts';

/** What operators did, newest first. */
export async function audited(
  { audit }: Pick<Tables, 'audit'>,
  limit: number,
): Promise<AuditEntry[]> {
  return (await audit.search({ limit, before: undefined }, {})).items;
}
