import type { Run } from '../model/run.ts';
import { list, queries, values, type Db } from './query.ts';

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

/** Newest rows among which those are looked for that a person may see. */
const MOST_LOOKED_AT = 5000;

/** What a person sees: repositories in small letters, and specs by their names. */
export interface SeenThings {
  repositories: readonly string[];
  specs: readonly string[];
}

export type Audit = ReturnType<typeof createAudit>;

export function createAudit(db: Db) {
  const { all, change, first } = queries(db);
  return {
    async record(entry: AuditEntry): Promise<void> {
      await change`insert into audit ${values([{ ...entry }])}`;
    },

    /** Newest first. With `seen` only what was done to what a person sees, of the newest rows. */
    async list(limit: number, seen?: SeenThings): Promise<AuditEntry[]> {
      if (seen === undefined) {
        return await all<AuditEntry>`select at, actor, action, subject, detail from audit
          order by seq desc limit ${limit}`;
      }
      const repositories = list(seen.repositories.length === 0 ? [''] : seen.repositories);
      const specs = list(seen.specs.length === 0 ? [''] : seen.specs);
      return await all<AuditEntry>`select at, actor, action, subject, detail from audit a
        where a.seq > (select coalesce(max(seq), 0) - ${MOST_LOOKED_AT} from audit) and (
          a.action like 'run.%' and exists (
            select 1 from runs where id = a.subject and lower(repository) in ${repositories})
          or a.action like 'delivery.%' and exists (
            select 1 from deliveries where id = a.subject and lower(repository) in ${repositories})
          or a.action like 'spec.%' and a.subject in ${specs})
        order by a.seq desc limit ${limit}`;
    },

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
