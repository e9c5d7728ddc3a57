import { sql } from 'kysely';
import { TerminalError } from '../lib/errors.ts';
import { list, queries, when, type Db, type Row, type Sql } from './query.ts';

/** Of so many repositories the rows are found by an index of repositories, and sorted. */
const FEW = 20;

/** A window on a list, newest first. */
export interface PageRequest {
  limit: number;
  /** Only rows whose sequence is lower than this. */
  before: number | undefined;
}

export interface Page<Item> {
  items: Item[];
  /** An opaque cursor for the next page; undefined at the end. */
  next: string | undefined;
}

/**
 * The repositories, in small letters, to which a list is limited: by what is asked for and by what may be seen. Undefined: not
 * at all.
 */
export function repositoriesOf(filter: {
  repository?: string | undefined;
  visible?: readonly string[] | undefined;
}): readonly string[] | undefined {
  const asked = filter.repository?.toLowerCase();
  const { visible } = filter;
  return asked === undefined ? visible : visible?.includes(asked) === false ? [] : [asked];
}

/**
 * Whether a column or expression, in small letters, is one of some repositories. Of many most rows are: they are met soon where rows
 * are read in their order, while an index of repositories would have all of them sorted.
 */
export function isOneOf(column: Sql, names: readonly string[]): Sql {
  const value = names.length > FEW ? sql`${column} || ''` : column;
  return sql`${value} in ${list(names)}`;
}

/**
 * Makes a page of rows of which one more than the limit was asked for. `looked`: the sequence of the last row that was looked at, where
 * not all were: then a page that is not full, or empty, has a cursor too.
 */
export function page<Row extends { seq: number }, Item>(
  rows: readonly Row[],
  request: PageRequest,
  toItem: (row: Row) => Item,
  looked?: number,
): Page<Item> {
  const shown = rows.slice(0, request.limit);
  const last = rows.length > request.limit ? shown.at(-1)?.seq : looked;
  return { items: shown.map(toItem), next: last === undefined ? undefined : encodeCursor(last) };
}

/** A page of those rows of a table that are `which`. `looked` as in `page`. */
export async function pageOf<Item>(
  db: Db,
  table: string,
  request: PageRequest,
  which: Sql,
  toItem: (row: Row) => Item,
  looked?: number,
): Promise<Page<Item>> {
  const rows = await queries(db).all<Row & { seq: number }>`
    select * from ${sql.table(table)} where ${which}
    ${when(request.before, (before) => sql`and seq < ${before}`)}
    order by seq desc limit ${request.limit + 1}`;
  return page(rows, request, toItem, looked);
}

function encodeCursor(seq: number): string {
  return Buffer.from(`v1:${seq}`).toString('base64url');
}

/** The sequence in a cursor that `page` gave out. Throws TerminalError `invalid-cursor`. */
export function decodeCursor(cursor: string): number {
  const match = /^v1:(\d{1,15})$/.exec(Buffer.from(cursor, 'base64url').toString('latin1'));
  if (match === null) {
    throw new TerminalError('invalid-cursor', 'the cursor is not one that this list gave out', {
      hint: 'pass the value of "next" unchanged, or leave it out to start at the newest',
    });
  }
  return Number(match[1]);
}
