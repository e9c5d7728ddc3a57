import type { Store, WorkTable } from '../../src/store/index.ts';

/** The tables that the store tells of from now on, each time that work comes into one. */
export function recordFilled(store: Pick<Store, 'filled'>): WorkTable[] {
  const told: WorkTable[] = [];
  store.filled.subscribe((table) => told.push(table));
  return told;
}
