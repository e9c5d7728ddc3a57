import type { Row } from './query.ts';

/** How a model is kept in the rows of a table. */
export interface Mapping<Model> {
  read(row: Row): Model;
  /** The columns of these fields. */
  write(fields: Partial<Model>): Row;
}

/**
 * The one rule for rows: a column is called as its field in snake_case and `null` is undefined. What differs is said:
 * fields that are called otherwise, fields that are JSON text, and columns that are no fields of the model.
 */
export function createMapping<Model extends object>(
  differs: {
    names?: { [Field in keyof Model]?: string };
    json?: readonly (keyof Model & string)[];
    others?: readonly string[];
  } = {},
): Mapping<Model> {
  const { names = {}, json = [], others = [] } = differs;
  const isJson = new Set<string>(json);
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

  return {
    read(row) {
      const model: Record<string, unknown> = {};
      for (const [column, value] of Object.entries(row)) {
        const field = fieldOf(column);
        if (field === '') continue;
        const isText = value !== null && isJson.has(field);
        model[field] = isText ? JSON.parse(value as string) : (value ?? undefined);
      }
      return model as Model;
    },
    write: (model) =>
      Object.fromEntries(
        Object.entries(model).map(([field, value]) => [
          columnOf(field),
          value !== undefined && isJson.has(field) ? JSON.stringify(value) : value,
        ]),
      ),
  };
}
