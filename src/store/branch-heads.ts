import type { Kysely } from 'kysely';
import type { Database } from './tables.ts';

export interface SeenHead {
  sha: string;
  /** The number of the last push that was told of by then. */
  pushSeq: number;
  seenAt: number;
}

/** Where the branches of repositories stood when they were last looked at. */
export interface BranchHeads {
  /** By ref (`refs/heads/main`). Empty for a repository that was never looked at. */
  of(repository: string): Promise<Map<string, string>>;
  /** Notes where a branch stands. */
  see(repository: string, ref: string, head: SeenHead): Promise<void>;
  /** Forgets a branch that is gone. */
  forget(repository: string, ref: string): Promise<void>;
  /** Forgets every other repository: if one is looked at again some day, it is for the first time. */
  retain(repositories: ReadonlySet<string>): Promise<void>;
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

    async see(repository, ref, { sha, pushSeq, seenAt }) {
      const head = { sha, push_seq: pushSeq, seen_at: seenAt };
      await db
        .insertInto('branch_heads')
        .values({ repository: repository.toLowerCase(), ref, ...head })
        .onConflict((conflict) => conflict.columns(['repository', 'ref']).doUpdateSet(head))
        .execute();
    },

    async forget(repository, ref) {
      await db
        .deleteFrom('branch_heads')
        .where('repository', '=', repository.toLowerCase())
        .where('ref', '=', ref)
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
