import { sql, type Selectable } from 'kysely';
import type { Callback } from '../model/callback.ts';
import type { Importance } from '../model/importance.ts';
import type { OutboxTable } from './tables.ts';

/** A literal and not a parameter: with a parameter SQLite cannot use the index of pending rows. */
export const PENDING = sql.lit('pending' as const);

export type OutboxState = 'pending' | 'sent' | 'obsolete' | 'dead';

/** A callback on its way. */
export interface OutboxEntry {
  id: number;
  run: string;
  /** Entries of one target are sent one after the other, oldest first. */
  target: string;
  callback: Callback;
  state: OutboxState;
  attempts: number;
  nextAttemptAt: number;
  /** Why the last attempt failed, or why it will never be sent. */
  error: string | undefined;
  createdAt: number;
  finishedAt: number | undefined;
  importance: Importance;
}

export function fromRow(row: Selectable<OutboxTable>): OutboxEntry {
  return {
    id: row.seq,
    run: row.run_id,
    target: row.target,
    callback: JSON.parse(row.callback) as Callback,
    state: row.state,
    attempts: row.attempts,
    nextAttemptAt: row.next_attempt_at,
    error: row.error ?? undefined,
    createdAt: row.created_at,
    finishedAt: row.finished_at ?? undefined,
    importance: row.priority as Importance,
  };
}
