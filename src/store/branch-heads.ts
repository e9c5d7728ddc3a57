import type { Kysely } from 'kysely';
import type { Database } from './tables.ts';

export interface BranchHead {
  sha: string;
  /** Since when it is known to be there. */
  seenAt: number;
}

/** Where the branches of repositories stood when they were last looked at. */
export interface BranchHeads {
  /** By ref (`refs/heads/main`). Empty for a repository that was never looked at. */
  of(repository: string): Promise<Map<string, BranchHead>>;
  /** Notes where a branch stands; undefined when it is gone. */
  see(repository: string, ref: string, sha: string | undefined, now: number): Promise<void>;
  /** Forgets every other repository: if one is looked at again some day, it is for the first time. */
  retain(repositories: ReadonlySet<string>): Promise<void>;
}

export function createBranchHeads(db: Kysely<Database>): BranchHeads {
  return {
    async of(repository) {
      const rows = await db
        .selectFrom('branch_heads')
        .select(['ref', 'sha', 'seen_at as seenAt'])
        .where('repository', '=', repository.toLowerCase())
        .execute();
      return new Map(rows.map(({ ref, sha, seenAt }) => [ref, { sha, seenAt }]));
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

    async retain(repositories) {
      const kept = new Set([...repositories].map((repository) => repository.toLowerCase()));
      const rows = await db.selectFrom('branch_heads').select('repository').distinct().execute();
      for (const { repository } of rows) {
        if (kept.has(repository)) continue;
        await db.deleteFrom('branch_heads').where('repository', '=', repository).execute();
      }
    },
  };
}
