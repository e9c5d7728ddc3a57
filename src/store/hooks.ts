import { sql } from 'kysely';
import type { DynamicHook, DynamicSecret } from '../model/hook.ts';
import { createMapping } from './mapping.ts';
import { pageOf, type PageRequest } from './page.ts';
import { queries, values, type Db } from './query.ts';

/** Hooks that were made through the API. */
export type DynamicHooks = ReturnType<typeof createDynamicHooks>;

const mapping = createMapping<DynamicHook>({
  json: ['specs', 'inputs', 'secrets'],
  others: ['seq'],
});

export function createDynamicHooks(db: Db) {
  const { change } = queries(db);
  return {
    async add(hook: DynamicHook): Promise<void> {
      await change`insert into hooks ${values([mapping.write(hook)])}`;
    },

    /** By its id, also when it has expired. */
    get: (id: string) => mapping.of(db).first`select * from hooks where id = ${id}`,

    /** Newest first; `owner` undefined is any. */
    list(request: PageRequest, owner?: string) {
      const which = owner === undefined ? sql`true` : sql`owner = ${owner}`;
      return pageOf(db, 'hooks', request, which, mapping.read);
    },

    async setSecrets(id: string, secrets: readonly DynamicSecret[]): Promise<boolean> {
      return (
        (await change`update hooks set secrets = ${JSON.stringify(secrets)} where id = ${id}`) > 0
      );
    },

    /** False when it was not there. */
    async remove(id: string): Promise<boolean> {
      return (await change`delete from hooks where id = ${id}`) > 0;
    },

    /** Removes at most `limit` of those that have expired before `before`, and says how many went. */
    removeExpired: (before: number, limit: number) =>
      change`delete from hooks where seq in (
        select seq from hooks where expires_at < ${before} order by expires_at limit ${limit})`,
  };
}
