import type { Kysely } from 'kysely';
import type { Database } from './tables.ts';

/** Where the branches of repositories were last seen, by a delivery or by looking. */
export interface BranchHeads {
  /** Commits by ref (`refs/heads/main`). */
  of(repository: string): Promise<Map<string, string>>;
  /** Notes where a branch is; undefined when it is gone. */
  see(repository: string, ref: string, sha: string | undefined, now: number): Promise<void>;
}

export function createBranchHeads(db: Kysely<Database>): BranchHeads {
  return {
    async of(repository) {
      const rows = await db
        .selectFrom('branch_heads')
        .select(['ref', 'sha'])
        .where('repository', '=', repository.toLowerCase())
        .execute();
      return new Map(rows.map(({ ref, sha }) => [ref, sha]));
    },

    async see(repository, ref, sha, now) {
      const key = { repository: repository.toLowerCase(), ref };
      if (sha === undefined) {
        await db
          .deleteFrom('branch_heads')
          .where('repository', '=', key.repository)
          .where('ref', '=', ref)
          .execute();
        return;
      }
      await db
        .insertInto('branch_heads')
        .values({ ...key, sha, seen_at: now })
        .onConflict((conflict) =>
          conflict.columns(['repository', 'ref']).doUpdateSet({ sha, seen_at: now }),
        )
        .execute();
    },
  };
}
