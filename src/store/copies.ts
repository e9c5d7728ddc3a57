import type { Insertable, Kysely } from 'kysely';
import { RetryableError } from '../lib/errors.ts';
import type { DeliveryOutcome } from '../model/delivery.ts';
import type { Database, DeliveryTable } from './tables.ts';

type Row = Insertable<DeliveryTable>;

/**
 * Of these rows either the id or the digest was there already. Those of which it is the digest are stored as closed copies, without
 * the payload. Throws RetryableError `delivery-not-stored` for one of which neither is there any more.
 */
export async function noteCopies(db: Kysely<Database>, rows: readonly Row[]): Promise<void> {
  const ids = rows.map(({ id }) => id);
  const digests = rows.map(({ digest }) => digest ?? '');
  const there = await db
    .selectFrom('deliveries')
    .select(['id', 'digest'])
    .where((eb) => eb.or([eb('id', 'in', ids), eb('digest', 'in', digests)]))
    .execute();
  const known = new Set(there.map(({ id }) => id));
  const originals = new Map(there.map(({ id, digest }) => [digest, id]));
  const copies = rows
    .filter(({ id }) => !known.has(id))
    .map((row) => toCopy(row, originals.get(row.digest ?? '')));
  if (copies.length === 0) return;
  await db
    .insertInto('deliveries')
    .values(copies)
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}

function toCopy(row: Row, original: string | undefined): Row {
  if (original === undefined) {
    throw new RetryableError('delivery-not-stored', 'what was there is being removed');
  }
  const outcome: DeliveryOutcome = {
    summary: `Nothing new: delivery ${original} has brought the same body before`,
    specs: [],
  };
  return {
    ...row,
    digest: null,
    payload: '',
    state: 'processed',
    processed_at: row.received_at,
    pruned_at: row.received_at,
    outcome: JSON.stringify(outcome),
    copy_of: original,
  };
}
