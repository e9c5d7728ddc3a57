import { sql, type Kysely } from 'kysely';

const STATEMENTS = [
  // The same words stand in `inbox.lastOfHook`: without them no engine uses the index.
  `create index deliveries_of_hooks on deliveries (repository, seq) where substr(repository, 1, 5) = 'hook:'`,
  "create index previews_open on previews (due_at) where state <> 'ended'",
  'alter table audit add column origin text',
  'create index audit_by_actor on audit (actor, seq)',
  'create index audit_by_action on audit (action, seq)',
];

/** What the pages of hooks, previews and activity look for, and from where people do things. */
export async function lists(db: Kysely<unknown>): Promise<void> {
  for (const statement of STATEMENTS) await sql.raw(statement).execute(db);
}
