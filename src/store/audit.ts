import { sql } from 'kysely';
import { currentOrigin } from '../lib/origin.ts';
import type { Run } from '../model/run.ts';
import { createMapping } from './mapping.ts';
import { pageOf, type PageRequest } from './page.ts';
import { list, queries, values, when, type Db, type Sql } from './query.ts';

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
  /** Whose a spec was when something was done to it. */
  repository?: string | undefined;
  /** From where: `dashboard from 192.0.2.7`. Not there for what was pressed or written on GitHub. */
  origin?: string | undefined;
}

/** Newest rows among which those are looked for that a person may see. */
const MOST_LOOKED_AT = 5000;

export interface AuditFilter {
  actor?: string | undefined;
  action?: string | undefined;
  subject?: string | undefined;
  /** The repositories that a person sees, in small letters: only what was done to what is theirs, of the newest rows. */
  seen?: readonly string[] | undefined;
}

const mapping = createMapping<AuditEntry>({ others: ['seq', 'repository'] });

export function createAudit(db: Db) {
  const { change } = queries(db);
  const { all, first } = mapping.of(db);
  return {
    /** With where the person is who asked for it, when that is known here. */
    async record(entry: AuditEntry): Promise<void> {
      await change`insert into audit ${values([{ origin: currentOrigin(), ...entry }])}`;
    },

    /** Newest first. */
    search(request: PageRequest, filter: AuditFilter) {
      const which = sql`true
        ${when(filter.actor, (actor) => sql`and actor = ${actor}`)}
        ${when(filter.action, (action) => sql`and action = ${action}`)}
        ${when(filter.subject, (subject) => sql`and subject = ${subject}`)}
        ${when(filter.seen, isSeen)}`;
      return pageOf(db, 'audit', request, which, mapping.read);
    },

    /** What made a run by hand; undefined when nothing is known of it, or an event made it. */
    ofMade: ({ id, createdAt }: Pick<Run, 'id' | 'createdAt'>) =>
      first`select * from audit
        where at between ${createdAt - APART_MS} and ${createdAt + APART_MS}
        and (detail = ${`made run ${id}`} or detail like ${`made run ${id}:%`})
        order by at, seq limit 1`,

    /** What was done to something, oldest first; the newest of many. */
    async ofSubject(subject: string, limit: number): Promise<AuditEntry[]> {
      const newest = await all`select * from audit
        where subject = ${subject} order by seq desc limit ${limit}`;
      return newest.toReversed();
    },
  };
}

function isSeen(seen: readonly string[]): Sql {
  const repositories = list(seen);
  return sql`and seq > (select coalesce(max(seq), 0) - ${MOST_LOOKED_AT} from audit) and (
    audit.action like 'run.%' and exists (
      select 1 from runs where id = audit.subject and lower(repository) in ${repositories})
    or audit.action like 'delivery.%' and exists (
      select 1 from deliveries where id = audit.subject and lower(repository) in ${repositories})
    or audit.action like 'spec.%' and lower(audit.repository) in ${repositories})`;
}
