import type { Run } from '../model/run.ts';
import { queries, values, type Db } from './query.ts';

/** The row of what a person made is written in the transaction that made it: this is for clocks that were set. */
const APART_MS = 60_000;

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
  const { all, change, first } = queries(db);
  return {
    async record(entry: AuditEntry): Promise<void> {
      await change`insert into audit ${values([{ ...entry }])}`;
    },

    /** Newest first. */
    list: (limit: number) =>
      all<AuditEntry>`select at, actor, action, subject, detail from audit order by seq desc limit ${limit}`,

    /** What made a run by hand; undefined when nothing is known of it, or an event made it. */
    ofMade: ({ id, createdAt }: Pick<Run, 'id' | 'createdAt'>) =>
      first<AuditEntry>`select at, actor, action, subject, detail from audit
        where at between ${createdAt - APART_MS} and ${createdAt + APART_MS}
        and (detail = ${`made run ${id}`} or detail like ${`made run ${id}:%`})
        order by at, seq limit 1`,

    /** What was done to something, oldest first; the newest of many. */
    async ofSubject(subject: string, limit: number): Promise<AuditEntry[]> {
      const entries = await all<AuditEntry>`select at, actor, action, subject, detail from audit
        where subject = ${subject} order by seq desc limit ${limit}`;
      return entries.toReversed();
    },
  };
}
