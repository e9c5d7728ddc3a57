import { sql, type Kysely, type RawBuilder } from 'kysely';

/** A database, or one transaction in it. What is in its tables stands in the migrations. */
export type Db = Kysely<Record<string, Row>>;

/** A part of a statement. */
export type Sql = RawBuilder<unknown>;

type Statement<Answer> = (text: TemplateStringsArray, ...values: unknown[]) => Promise<Answer>;

/** Statements in plain SQL: values become parameters, parts made with Kysely's `sql` become text. */
export interface Queries {
  /** Every row that the statement answers. */
  all<Row>(...statement: Parameters<Statement<Row[]>>): Promise<Row[]>;
  /** The first row, if there is one. */
  first<Row>(...statement: Parameters<Statement<Row>>): Promise<Row | undefined>;
  /** How many rows the statement has changed. */
  change: Statement<number>;
}

export function queries(db: Db): Queries {
  const ask = <Row>(text: TemplateStringsArray, values: unknown[]) =>
    sql<Row>(text, ...values.map(orNull)).execute(db);
  return {
    all: async <Row>(text: TemplateStringsArray, ...values: unknown[]) =>
      (await ask<Row>(text, values)).rows,
    first: async <Row>(text: TemplateStringsArray, ...values: unknown[]) =>
      (await ask<Row>(text, values)).rows[0],
    change: async (text, ...values) => Number((await ask(text, values)).numAffectedRows ?? 0n),
  };
}

const orNull = (value: unknown) => value ?? null;

/** `(a, b, …)`: of names to read from a list that is not empty. */
export function list(values: readonly unknown[]): Sql {
  return sql`(${sql.join(values)})`;
}

/** `condition` when `value` is given, and nothing else. */
export function when<Value>(value: Value | undefined, condition: (value: Value) => Sql): Sql {
  return value === undefined ? sql`` : condition(value);
}

/** A row by its columns. */
export type Row = Record<string, unknown>;

/** `table (columns) values (…), (…)`: rows that all have the same columns, at least one. */
export function values(rows: readonly Row[]): Sql {
  const columns = Object.keys(rows[0] ?? {});
  const lines = rows.map((row) => list(columns.map((column) => orNull(row[column]))));
  return sql`(${sql.join(columns.map((column) => sql.ref(column)))}) values ${sql.join(lines)}`;
}

/** `a = 1, b = 2`: what `update … set` is given. */
export function assignments(row: Row): Sql {
  return sql.join(
    Object.entries(row).map(([column, value]) => sql`${sql.ref(column)} = ${orNull(value)}`),
  );
}
