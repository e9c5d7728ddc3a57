import { sql } from 'kysely';
import type { Move, PushHistory, ToldPush } from '../model/push-history.ts';
import { lockUntilEnd } from './locks.ts';
import { createMapping } from './mapping.ts';
import { inPlace, list, queries, values, type Db, type Sql } from './query.ts';

/** A move of a ref that some delivery tells of. */
export interface SeenPush extends Move {
  repository: string;
  /** The whole ref. */
  ref: string;
  delivery: string;
  /** It was found by looking. */
  found: boolean;
  /** The delivery of the found move that it is a part of. */
  toldBy: string | undefined;
  seenAt: number;
}

export interface SeenHead {
  sha: string;
  /** The number of the last push that was told of by then. */
  pushSeq: number;
  seenAt: number;
}

/** Newest moves of a ref that matter at once: between two looks there are fewer. */
const MOST_MOVES = 1000;
/** Among so many it is looked for one that took a branch back: each is a question to git. */
const MOST_NEWEST = 50;

const mapping = createMapping<SeenPush & ToldPush>({ flags: ['found'] });

/** The moves of refs that were taken in, so that one that is told of twice counts once. A repository has any of its names. */
export type Pushes = ReturnType<typeof createPushes>;

export function createPushes(db: Db) {
  const { all, change, column, first, isThere, value } = queries(db);

  return {
    /**
     * Until the transaction's end no other notes pushes of this repository or looks at it, so that what `history` says
     * stays true. Nothing on SQLite, where one transaction is under way at a time.
     */
    async lock(repository: string): Promise<void> {
      await lockUntilEnd(db, 'pushes', nameNow(repository));
    },

    /** Notes a push once for each delivery. */
    async record(push: SeenPush): Promise<void> {
      const row = { ...mapping.write(push), repository: nameNow(push.repository) };
      await change`insert into pushes ${values([row])} on conflict (delivery) do nothing`;
    },

    /** Whether a look has found a move of the ref. */
    hasFound: (repository: string, ref: string) =>
      isThere`select seq from pushes
        where repository = ${nameNow(repository)} and ref = ${ref} and found = 1 limit 1`,

    /** The refs of which deliveries have told moves since they were last looked at. */
    async movedSinceLook(repository: string): Promise<ReadonlySet<string>> {
      const refs = await column<string>`select head.ref from branch_heads as head
        where head.repository = ${nameNow(repository)} and exists (
          select 1 from pushes as push
          where push.repository = head.repository and push.ref = head.ref and push.seq > head.push_seq
          and push.found = 0 and push.told_by is null)`;
      return new Set(refs);
    },

    /** What is known of a ref: its moves since the last look, and those found before with their parts. */
    async history(name: string, ref: string): Promise<PushHistory> {
      const isOf = sql`repository = ${nameNow(name)} and ref = ${ref}`;
      const seen = await first<{ sha: string; seq: number }>`
        select sha, push_seq as seq from branch_heads where ${isOf}`;
      const newest = await mapping.of(db).all`
        select seq, before, after, delivery, found, told_by, seen_at
        from pushes where ${isOf} and (seq > ${seen?.seq ?? 0} or found = 1 or told_by is not null)
        order by seq desc limit ${MOST_MOVES}`;
      return { seen, pushes: newest.toReversed() };
    },

    /** The newest moves of a ref that were told or found, newest first. */
    newest: (name: string, ref: string) =>
      all<Move>`select before, after from pushes
        where repository = ${nameNow(name)} and ref = ${ref} order by seq desc limit ${MOST_NEWEST}`,

    /** Whether the push that a delivery told of was noted. */
    isNoted: (delivery: string) => isThere`select seq from pushes where delivery = ${delivery}`,

    /** The number of the last push of any ref, which grows; 0 before the first. */
    last: async () => (await value<number>`select max(seq) from pushes`) ?? 0,
  };
}

/** Where the branches of repositories stood when they were last looked at. */
export function createBranchHeads(db: Db) {
  const { all, change, column } = queries(db);
  const knownOf = (which: Sql) =>
    column<string>`select distinct repository from branch_heads where ${which}`;

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

    /** These repositories are named by a process. */
    async keep(repositories: ReadonlySet<string>): Promise<void> {
      const named = (await knownOf(sql`unnamed_at is not null`)).filter(isIn(repositories));
      if (named.length > 0)
        await change`update branch_heads set unnamed_at = null where repository in ${list(named)}`;
    },

    /**
     * Forgets the repositories that no process has named since `before`, but for these: if one is looked at again some day, it is for
     * the first time. The others of which that is not known are taken to be named until `now`.
     */
    async retain(repositories: ReadonlySet<string>, before: number, now: number): Promise<void> {
      const isKept = isIn(repositories);
      const others = (await knownOf(sql`true`)).filter((name) => !isKept(name));
      if (others.length === 0) return;
      await change`update branch_heads set unnamed_at = ${now}
        where repository in ${list(others)} and unnamed_at is null`;
      await change`delete from branch_heads where repository in ${list(others)}
        and repository not in (select other.repository from branch_heads other where other.unnamed_at is null or other.unnamed_at > ${before})`;
    },
  };
}

/** Whether a name, in small letters, is one of these. */
function isIn(repositories: ReadonlySet<string>): (name: string) => boolean {
  const names = new Set([...repositories].map((name) => name.toLowerCase()));
  return (name) => names.has(name);
}

/** What a repository is called now, in small letters: a delivery that comes late may have a former name. */
function nameNow(repository: string): Sql {
  const name = repository.toLowerCase();
  return sql`coalesce((select newest.name
    from repositories as own join repositories as newest on newest.id = own.id
    where own.name = ${name} order by newest.seen_at desc limit 1), ${name})`;
}
