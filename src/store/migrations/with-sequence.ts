import type { CreateTableBuilder } from 'kysely';
import type { Engine } from '../engine.ts';

/** A `seq` that grows with every row and is never given out twice: the order of arrival. */
export function withSequence(
  table: CreateTableBuilder<string>,
  engine: Engine,
): CreateTableBuilder<string> {
  return engine === 'sqlite'
    ? table.addColumn('seq', 'integer', (column) => column.primaryKey().autoIncrement())
    : table.addColumn('seq', 'bigserial', (column) => column.primaryKey());
}
