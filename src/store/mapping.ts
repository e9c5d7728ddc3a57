import { queries, type Db, type Queries, type Row } from './query.ts';

type Statement = Parameters<Queries['all']>;

/**
 * The one rule for rows: a column is called as its field in snake_case and `null` is undefined. What differs is said:
 * fields that are called otherwise, fields that are JSON text or flags (0 or 1), and columns that are no fields of the model.
 */
export function createMapping<Model extends object>(
  differs: {
    names?: { [Field in keyof Model]?: string };
    json?: readonly (keyof Model & string)[];
    flags?: readonly (keyof Model & string)[];
    others?: readonly string[];
  } = {},
) {
  const { names = {}, json = [], flags = [], others = [] } = differs;
  const isJson = new Set<string>(json);
  const isFlag = new Set<string>(flags);
  const columns = new Map<string, string>(Object.entries(names));
  const fields = new Map([...columns].map(([field, column]) => [column, field]));
  for (const column of others) fields.set(column, '');

  function fieldOf(column: string): string {
    let field = fields.get(column);
    if (field === undefined) {
      field = column.replaceAll(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
      fields.set(column, field);
    }
    return field;
  }

  function columnOf(field: string): string {
    return columns.get(field) ?? field.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  }

  function read(row: Row): Model {
    const model: Record<string, unknown> = {};
    for (const [column, value] of Object.entries(row)) {
      const field = fieldOf(column);
      if (field !== '') model[field] = value === null ? undefined : fromColumn(field, value);
    }
    return model as Model;
  }

  function fromColumn(field: string, value: unknown): unknown {
    if (isJson.has(field)) return JSON.parse(value as string);
    return isFlag.has(field) ? value === 1 : value;
  }

  function toColumn(field: string, value: unknown): unknown {
    if (value !== undefined && isJson.has(field)) return JSON.stringify(value);
    return isFlag.has(field) ? Number(value) : value;
  }

  return {
    read,
    /** The columns of these fields. */
    write: (fields: Partial<Model>): Row =>
      Object.fromEntries(
        Object.entries(fields).map(([field, value]) => [columnOf(field), toColumn(field, value)]),
      ),
    /** `Queries` of which the rows are read. */
    of(db: Db) {
      const { all, first } = queries(db);
      return {
        all: async (...statement: Statement): Promise<Model[]> =>
          (await all<Row>(...statement)).map(read),
        async first(...statement: Statement): Promise<Model | undefined> {
          const row = await first<Row>(...statement);
          return row && read(row);
        },
      };
    },
  };
}
