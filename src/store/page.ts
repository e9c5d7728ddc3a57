import { TerminalError } from '../lib/errors.ts';

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
  const names = asked === undefined ? visible : visible?.includes(asked) === false ? [] : [asked];
  // No repository is called so, and PostgreSQL takes no list without entries.
  return names?.length === 0 ? [''] : names;
}

/** Makes a page of rows of which one more than the limit was asked for. */
export function page<Row extends { seq: number }, Item>(
  rows: readonly Row[],
  request: PageRequest,
  toItem: (row: Row) => Item,
): Page<Item> {
  const shown = rows.slice(0, request.limit);
  const last = shown.at(-1);
  return {
    items: shown.map(toItem),
    next: rows.length > request.limit && last !== undefined ? encodeCursor(last.seq) : undefined,
  };
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
