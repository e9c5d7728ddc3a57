import type { Kysely } from 'kysely';
import type { Database } from './tables.ts';

/** Something an operator did. */
export interface AuditEntry {
  at: number;
  /** Who: `admin` for the holder of the token. */
  actor: string;
  /** What: `run.cancel`, `run.retry`, `delivery.replay`, … */
  action: string;
  /** The id of what it was done to. */
  subject: string;
  detail: string;
}

export interface Audit {
  record(entry: AuditEntry): Promise<void>;
  list(limit: number): Promise<AuditEntry[]>;
}

export function createAudit(db: Kysely<Database>): Audit {
  return {
    async record(entry) {
      await db.insertInto('audit').values(entry).execute();
    },

    async list(limit) {
      return await db
        .selectFrom('audit')
        .select(['at', 'actor', 'action', 'subject', 'detail'])
        .orderBy('seq', 'desc')
        .limit(limit)
        .execute();
    },
  };
}
