import { sql } from 'kysely';
import type { DynamicHook, DynamicSecret } from '../model/hook.ts';
import type { Json } from '../model/event.ts';
import { page, type Page, type PageRequest } from './page.ts';
import { queries, values, when, type Db } from './query.ts';

/** Hooks that were made through the API. */
export type DynamicHooks = ReturnType<typeof createDynamicHooks>;

interface Row {
  seq: number;
  id: string;
  hook: string;
  owner: string;
  specs: string;
  inputs: string;
  secrets: string;
  created_at: number;
  created_by: string;
  expires_at: number;
}

export function createDynamicHooks(db: Db) {
  const { all, change, first } = queries(db);
  return {
    async add(hook: DynamicHook): Promise<void> {
      const row = {
        id: hook.id,
        hook: hook.hook,
        owner: hook.owner,
        specs: JSON.stringify(hook.specs),
        inputs: JSON.stringify(hook.inputs),
        secrets: JSON.stringify(hook.secrets),
        created_at: hook.createdAt,
        created_by: hook.createdBy,
        expires_at: hook.expiresAt,
      };
      await change`insert into hooks ${values([row])}`;
    },

    /** By its id, also when it has expired. */
    async get(id: string): Promise<DynamicHook | undefined> {
      const row = await first<Row>`select * from hooks where id = ${id}`;
      return row && fromRow(row);
    },

    /** Newest first; `owner` undefined is any. */
    async list(request: PageRequest, owner?: string): Promise<Page<DynamicHook>> {
      const rows = await all<Row>`select * from hooks where 1 = 1
        ${when(request.before, (before) => sql`and seq < ${before}`)}
        ${when(owner, (name) => sql`and owner = ${name}`)}
        order by seq desc limit ${request.limit + 1}`;
      return page(rows, request, fromRow);
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

function fromRow(row: Row): DynamicHook {
  return {
    id: row.id,
    hook: row.hook,
    owner: row.owner,
    specs: JSON.parse(row.specs) as string[],
    inputs: JSON.parse(row.inputs) as { [name: string]: Json },
    secrets: JSON.parse(row.secrets) as DynamicSecret[],
    createdAt: row.created_at,
    createdBy: row.created_by,
    expiresAt: row.expires_at,
  };
}
