import { inPlace, list, queries, type Db } from './query.ts';

export interface SeenHead {
  sha: string;
  /** The number of the last push that was told of by then. */
  pushSeq: number;
  seenAt: number;
}

/** Where the branches of repositories stood when they were last looked at. */
export function createBranchHeads(db: Db) {
  const { all, change, column } = queries(db);
  return {
    /** By ref (`refs/heads/main`). Empty for a repository that was never looked at. */
    async of(repository: string): Promise<Map<string, string>> {
      const rows = await all<{ ref: string; sha: string }>`
        select ref, sha from branch_heads where repository = ${repository.toLowerCase()}`;
      return new Map(rows.map(({ ref, sha }) => [ref, sha]));
    },

    /** Notes where a branch stands. */
    async see(repository: string, ref: string, { sha, pushSeq, seenAt }: SeenHead): Promise<void> {
      const row = {
        repository: repository.toLowerCase(),
        ref,
        sha,
        push_seq: pushSeq,
        seen_at: seenAt,
      };
      await change`insert into branch_heads ${inPlace(['repository', 'ref'], [row])}`;
    },

    /** Forgets a branch that is gone. */
    async forget(repository: string, ref: string): Promise<void> {
      await change`delete from branch_heads where repository = ${repository.toLowerCase()} and ref = ${ref}`;
    },

    /** Forgets every other repository: if one is looked at again some day, it is for the first time. */
    async retain(repositories: ReadonlySet<string>): Promise<void> {
      const kept = new Set([...repositories].map((name) => name.toLowerCase()));
      const known = await column<string>`select distinct repository from branch_heads`;
      const gone = known.filter((name) => !kept.has(name));
      if (gone.length > 0) await change`delete from branch_heads where repository in ${list(gone)}`;
    },
  };
}
