import { RetryableError } from '../lib/errors.ts';
import type { DeliveryOutcome } from '../model/delivery.ts';
import { list, queries, values, type Db, type Row } from './query.ts';

/** The row of a delivery that is to be stored. */
interface NewRow extends Row {
  id: string;
  digest: string | null;
  received_at: number;
}

/**
 * Of these rows either the id or the digest was there already. Those of which it is the digest are stored as closed copies, without
 * payload and headers. Throws RetryableError `delivery-not-stored` for one of which neither is there any more.
 */
export async function noteCopies(db: Db, rows: readonly NewRow[]): Promise<void> {
  const ids = rows.map(({ id }) => id);
  const digests = rows.map(({ digest }) => digest ?? '');
  const { all, change } = queries(db);
  const there = await all<{ id: string; digest: string | null }>`select id, digest from deliveries
    where id in ${list(ids)} or digest in ${list(digests)}`;
  const known = new Set(there.map(({ id }) => id));
  const originals = new Map(there.map(({ id, digest }) => [digest, id]));
  const copies = rows
    .filter(({ id }) => !known.has(id))
    .map((row) => toCopy(row, originals.get(row.digest ?? '')));
  if (copies.length === 0) return;
  await change`insert into deliveries ${values(copies)} on conflict do nothing`;
}

function toCopy(row: NewRow, original: string | undefined): NewRow {
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
    headers: null,
    state: 'processed',
    processed_at: row.received_at,
    pruned_at: row.received_at,
    outcome: JSON.stringify(outcome),
    copy_of: original,
  };
}
