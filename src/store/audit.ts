import { queries, values, type Db } from './query.ts';

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

export type Audit = ReturnType<typeof createAudit>;

export function createAudit(db: Db) {
  const { all, change } = queries(db);
  return {
    async record(entry: AuditEntry): Promise<void> {
      await change`insert into audit ${values([{ ...entry }])}`;
    },

    /** Newest first. */
    list: (limit: number) =>
      all<AuditEntry>`select at, actor, action, subject, detail from audit order by seq desc limit ${limit}`,

    /** What was done to something, oldest first; the newest of many. */
    async ofSubject(subject: string, limit: number): Promise<AuditEntry[]> {
      const entries = await all<AuditEntry>`select at, actor, action, subject, detail from audit
        where subject = ${subject} order by seq desc limit ${limit}`;
      return entries.toReversed();
    },
  };
}
