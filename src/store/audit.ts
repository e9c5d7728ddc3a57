import { sql } from 'kysely';
import { currentOrigin } from '../lib/origin.ts';
import type { Run } from '../model/run.ts';
import { page, type Page, type PageRequest } from './page.ts';
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
  origin?: string;
}

/** Newest rows among which those are looked for that a person may see. */
const MOST_LOOKED_AT = 5000;

/** The repositories that a person sees, in small letters. */
export type SeenThings = readonly string[];

export interface AuditFilter {
  actor?: string | undefined;
  action?: string | undefined;
  subject?: string | undefined;
  /** Only what was done to what a person sees, of the newest rows. */
  seen?: SeenThings | undefined;
}

interface Row extends Omit<AuditEntry, 'origin' | 'repository'> {
  seq: number;
  origin: string | null;
}

const COLUMNS = sql`seq, at, actor, action, subject, detail, origin`;

export type Audit = ReturnType<typeof createAudit>;

export function createAudit(db: Db) {
  const { all, change, first } = queries(db);
  return {
    /** With where the person is who asked for it, when that is known here. */
    async record(entry: AuditEntry): Promise<void> {
      await change`insert into audit ${values([{ origin: currentOrigin(), ...entry }])}`;
    },

    /** Newest first. */
    async list(limit: number): Promise<AuditEntry[]> {
      const rows = await all<Row>`select ${COLUMNS} from audit order by seq desc limit ${limit}`;
      return rows.map(toEntry);
    },

    /** Newest first. */
    async search(request: PageRequest, filter: AuditFilter): Promise<Page<AuditEntry>> {
      const rows = await all<Row>`select ${COLUMNS} from audit a where true
        ${when(filter.actor, (actor) => sql`and actor = ${actor}`)}
        ${when(filter.action, (action) => sql`and action = ${action}`)}
        ${when(filter.subject, (subject) => sql`and subject = ${subject}`)}
        ${when(request.before, (before) => sql`and seq < ${before}`)}
        ${when(filter.seen, isSeen)}
        order by seq desc limit ${request.limit + 1}`;
      return page(rows, request, toEntry);
    },

    /** What made a run by hand; undefined when nothing is known of it, or an event made it. */
    async ofMade({
      id,
      createdAt,
    }: Pick<Run, 'id' | 'createdAt'>): Promise<AuditEntry | undefined> {
      const row = await first<Row>`select ${COLUMNS} from audit
        where at between ${createdAt - APART_MS} and ${createdAt + APART_MS}
        and (detail = ${`made run ${id}`} or detail like ${`made run ${id}:%`})
        order by at, seq limit 1`;
      return row && toEntry(row);
    },

    /** What was done to something, oldest first; the newest of many. */
    async ofSubject(subject: string, limit: number): Promise<AuditEntry[]> {
      const rows = await all<Row>`select ${COLUMNS} from audit
        where subject = ${subject} order by seq desc limit ${limit}`;
      return rows.toReversed().map(toEntry);
    },
  };
}

function isSeen(seen: SeenThings): Sql {
  // PostgreSQL takes no list without entries.
  const repositories = list(seen.length === 0 ? [''] : seen);
  return sql`and a.seq > (select coalesce(max(seq), 0) - ${MOST_LOOKED_AT} from audit) and (
    a.action like 'run.%' and exists (
      select 1 from runs where id = a.subject and lower(repository) in ${repositories})
    or a.action like 'delivery.%' and exists (
      select 1 from deliveries where id = a.subject and lower(repository) in ${repositories})
    or a.action like 'spec.%' and lower(a.repository) in ${repositories})`;
}

function toEntry({ at, actor, action, subject, detail, origin }: Row): AuditEntry {
  return { at, actor, action, subject, detail, ...(origin === null ? {} : { origin }) };
}
