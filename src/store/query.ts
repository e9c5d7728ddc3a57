import { PostgresAdapter, sql, type Kysely, type RawBuilder } from 'kysely';
import type { Engine } from './engine.ts';

/** A database, or one transaction in it. What is in its tables stands in the migrations. */
export type Db = Kysely<Record<string, Row>>;

/** A part of a statement. */
export type Sql = RawBuilder<unknown>;

/** A row by its columns. */
export type Row = Record<string, unknown>;

/** What the database, or the one of a transaction, runs on. */
export const engineOf = (db: Db): Engine =>
  db.getExecutor().adapter instanceof PostgresAdapter ? 'postgres' : 'sqlite';

/** A part of a statement for PostgreSQL alone: SQLite has no locks of rows, and one transaction under way at a time. */
export const onPostgres = (db: Db, part: Sql): Sql => (engineOf(db) === 'postgres' ? part : sql``);

type Statement<Answer> = (text: TemplateStringsArray, ...values: unknown[]) => Promise<Answer>;

/** Statements in plain SQL: values become parameters, parts made with Kysely's `sql` become text. */
export interface Queries {
  /** Every row that the statement answers. */
  all<Row>(...statement: Parameters<Statement<Row[]>>): Promise<Row[]>;
  /** The first row, if there is one. */
  first<Row>(...statement: Parameters<Statement<Row>>): Promise<Row | undefined>;
  /** The only column of every row. */
  column<Value>(...statement: Parameters<Statement<Value[]>>): Promise<Value[]>;
  /** The only column of the first row. Undefined: null, or no row. */
  value<Value>(...statement: Parameters<Statement<Value>>): Promise<Value | undefined>;
  /** Whether there is a row. */
  isThere: Statement<boolean>;
  /** How many rows the statement has changed. */
  change: Statement<number>;
}

export function queries(db: Db): Queries {
  const ask = <Row>(text: TemplateStringsArray, values: unknown[]) =>
    sql<Row>(text, ...values.map(orNull)).execute(db);
  const all = async <Answer>(text: TemplateStringsArray, ...values: unknown[]) =>
    (await ask<Answer>(text, values)).rows;
  const column = async <Value>(text: TemplateStringsArray, ...values: unknown[]) =>
    (await all<Row>(text, ...values)).map((row) => Object.values(row)[0] as Value);
  return {
    all,
    first: async <Answer>(text: TemplateStringsArray, ...values: unknown[]) =>
      (await ask<Answer>(text, values)).rows[0],
    column,
    value: async <Value>(text: TemplateStringsArray, ...values: unknown[]) =>
      (await column<Value | null>(text, ...values))[0] ?? undefined,
    isThere: async (text, ...values) => (await all(text, ...values)).length > 0,
    change: async (text, ...values) => Number((await ask(text, values)).numAffectedRows ?? 0n),
  };
}

const orNull = (value: unknown) => value ?? null;

/** `(a, b, …)`, for what is `in` it. Of no values it is `(null)`, which nothing is in, since no engine takes `()`. */
export function list(values: readonly unknown[]): Sql {
  return sql`(${values.length === 0 ? sql`null` : sql.join(values)})`;
}

/** `and … not in (a, b, …)`; nothing when there are none. */
export function andNotIn(what: Sql, values: readonly unknown[]): Sql {
  return values.length === 0 ? sql`` : sql`and ${what} not in ${list(values)}`;
}

/** `condition` when `value` is given, and nothing else. */
export function when<Value>(value: Value | undefined, condition: (value: Value) => Sql): Sql {
  return value === undefined ? sql`` : condition(value);
}

/** `(columns) values (…), (…)`: rows that all have the same columns, at least one. */
export function values(rows: readonly Row[]): Sql {
  const columns = Object.keys(rows[0] ?? {});
  const lines = rows.map((row) => list(columns.map((column) => orNull(row[column]))));
  return sql`${names(columns)} values ${sql.join(lines)}`;
}

/** `values` for an `insert into`, where each row takes the place of the one with the same `key`. */
export function inPlace(key: readonly string[], rows: readonly Row[]): Sql {
  const others = Object.keys(rows[0] ?? {}).filter((column) => !key.includes(column));
  const set = others.map((column) => sql`${sql.ref(column)} = excluded.${sql.ref(column)}`);
  return sql`${values(rows)} on conflict ${names(key)} do update set ${sql.join(set)}`;
}

/** `a = 1, b = 2`: what `update … set` is given. */
export function assignments(row: Row): Sql {
  return sql.join(
    Object.entries(row).map(([column, value]) => sql`${sql.ref(column)} = ${orNull(value)}`),
  );
}

const names = (columns: readonly string[]) => list(columns.map((column) => sql.ref(column)));

/** What is answered when items are named in parts, at most 500 in one statement. */
export async function inParts<Item, Answer>(
  items: readonly Item[],
  ask: (some: Item[]) => Promise<Answer[]>,
): Promise<Answer[]> {
  const answers: Answer[] = [];
  for (let at = 0; at < items.length; at += MOST_NAMED) {
    answers.push(...(await ask(items.slice(at, at + MOST_NAMED))));
  }
  return answers;
}

const MOST_NAMED = 500;
