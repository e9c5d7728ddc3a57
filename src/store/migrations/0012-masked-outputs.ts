import type { Kysely } from 'kysely';

/** Which outputs of a run are masked in its row, and what they are, sealed, for as long as the run goes on. */
export async function maskedOutputs(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable('runs').addColumn('masked_outputs', 'text').execute();
  await db.schema.alterTable('runs').addColumn('sealed_outputs', 'text').execute();
}
