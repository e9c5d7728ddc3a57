import { list, queries, type Db } from './query.ts';

export interface SeenHead {
  sha: string;
  /** The number of the last push that was told of by then. */
  pushSeq: number;
  seenAt: number;
}

/** Where the branches of repositories stood when they were last looked at. */
export type BranchHeads = ReturnType<typeof createBranchHeads>;

export function createBranchHeads(db: Db) {
  const { all, change } = queries(db);
  return {
    /** By ref (`refs/heads/main`). Empty for a repository that was never looked at. */
    async of(repository: string): Promise<Map<string, string>> {
      const rows = await all<{ ref: string; sha: string }>`
        select ref, sha from branch_heads where repository = ${repository.toLowerCase()}`;
      return new Map(rows.map(({ ref, sha }) => [ref, sha]));
    },

    /** Notes where a branch stands. */
    async see(repository: string, ref: string, { sha, pushSeq, seenAt }: SeenHead): Promise<void> {
      await change`insert into branch_heads (repository, ref, sha, push_seq, seen_at)
        values (${repository.toLowerCase()}, ${ref}, ${sha}, ${pushSeq}, ${seenAt})
        on conflict (repository, ref) do update set
        sha = excluded.sha, push_seq = excluded.push_seq, seen_at = excluded.seen_at`;
    },

    /** Forgets a branch that is gone. */
    async forget(repository: string, ref: string): Promise<void> {
      await change`delete from branch_heads where repository = ${repository.toLowerCase()} and ref = ${ref}`;
    },

    /** Forgets every other repository: if one is looked at again some day, it is for the first time. */
    async retain(repositories: ReadonlySet<string>): Promise<void> {
      const kept = new Set([...repositories].map((name) => name.toLowerCase()));
      const rows = await all<{ repository: string }>`select distinct repository from branch_heads`;
      const gone = rows.map(({ repository }) => repository).filter((name) => !kept.has(name));
      if (gone.length > 0) await change`delete from branch_heads where repository in ${list(gone)}`;
    },
  };
}
