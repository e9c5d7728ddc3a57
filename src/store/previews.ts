import { sql } from 'kysely';
import { createMapping } from './mapping.ts';
import { repositoriesOf } from './page.ts';
import { list, queries, values, when, type Db, type Row } from './query.ts';

/** Which pull request, as which spec deploys it. */
export interface PreviewKey {
  spec: string;
  repository: string;
  number: number;
}

/** A pull request that is deployed to an environment of its own. Times in milliseconds since the epoch. */
export interface Preview extends PreviewKey {
  /** `live`: until `dueAt` · `ending`: its teardown is under way, or has failed · `ended`: there is nothing of it. */
  state: 'live' | 'ending' | 'ended';
  /** The newest run that deploys it; empty when none does. */
  runId: string;
  sha: string;
  fork: boolean;
  /** When the pull request had last changed, by GitHub's clock. */
  changedAt: number;
  notedAt: number;
  /** When it is taken down. */
  dueAt: number;
  /** Why it is taken down. */
  reason: string;
  /** What takes it down. */
  delivery: string | undefined;
}

type Stored = Omit<Preview, 'fork'> & { fork: number };

const mapping = createMapping<Stored>({ others: ['comment_id'] });

export type Previews = ReturnType<typeof createPreviews>;

/** The previews of pull requests. Callers of `note` hold the lock of pauses, so that no two of them count at once. */
export function createPreviews(db: Db) {
  const { all, change, first } = queries(db);
  const read = (row: Row): Preview => {
    const stored = mapping.read(row);
    return { ...stored, fork: stored.fork === 1 };
  };

  return {
    async get({ spec, repository, number }: PreviewKey): Promise<Preview | undefined> {
      const row = await first<Row>`select * from previews
        where spec = ${spec} and repository = ${repository.toLowerCase()} and number = ${number}`;
      return row && read(row);
    },

    /** What is known of it now. Its comment stays. */
    async note(preview: Preview): Promise<void> {
      const row = mapping.write({
        ...preview,
        repository: preview.repository.toLowerCase(),
        fork: preview.fork ? 1 : 0,
        delivery: preview.delivery,
      });
      await change`insert into previews ${values([{ ...row, delivery: preview.delivery ?? null }])}
        on conflict (spec, repository, number) do update set state = excluded.state, run_id = excluded.run_id,
          sha = excluded.sha, fork = excluded.fork, changed_at = excluded.changed_at, noted_at = excluded.noted_at,
          due_at = excluded.due_at, reason = excluded.reason, delivery = excluded.delivery`;
    },

    /** How many of a spec there are, but for that of one pull request. */
    async others({ spec, repository, number }: PreviewKey): Promise<number> {
      const row = await first<{ count: number | string }>`select count(*) as count from previews
        where spec = ${spec} and state <> 'ended'
          and not (repository = ${repository.toLowerCase()} and number = ${number})`;
      return Number(row?.count ?? 0);
    },

    /**
     * Those that are there, and those that are being taken down, the one that ends first before the others. `visible`: only those
     * of these repositories, in small letters; undefined: all.
     */
    async open(most: number, visible?: readonly string[]): Promise<Preview[]> {
      const rows = await all<Row>`select * from previews where state <> 'ended'
        ${when(repositoriesOf({ visible }), (names) => sql`and repository in ${list(names)}`)}
        order by due_at, spec, number limit ${most}`;
      return rows.map(read);
    },

    /** How many there are of each spec; of specs without any nothing. `visible` as in `open`. */
    async counts(visible?: readonly string[]): Promise<ReadonlyMap<string, number>> {
      const rows = await all<{ spec: string; count: number | string }>`
        select spec, count(*) as count from previews where state <> 'ended'
          ${when(repositoriesOf({ visible }), (names) => sql`and repository in ${list(names)}`)}
        group by spec`;
      return new Map(rows.map(({ spec, count }) => [spec, Number(count)]));
    },

    /** Those whose time has come, the one that waits longest first. */
    async due(now: number, most: number): Promise<Preview[]> {
      const rows = await all<Row>`select * from previews where state = 'live' and due_at <= ${now}
        order by due_at, spec, number limit ${most}`;
      return rows.map(read);
    },

    /** Those that were noted before and are there still. */
    async liveSince(before: number): Promise<Preview[]> {
      const rows =
        await all<Row>`select * from previews where state = 'live' and noted_at <= ${before}`;
      return rows.map(read);
    },

    /** Begins to take one down. False when another process has done so, or it was deployed again. */
    async begin(
      { spec, repository, number, runId, dueAt }: Preview,
      delivery: string,
    ): Promise<boolean> {
      const begun = await change`update previews set state = 'ending', delivery = ${delivery}
        where spec = ${spec} and repository = ${repository} and number = ${number}
          and state = 'live' and run_id = ${runId} and due_at = ${dueAt}`;
      return begun > 0;
    },

    /** Nothing is left of it, unless it was deployed again meanwhile. */
    async end({ spec, repository, number }: PreviewKey, now: number): Promise<void> {
      await change`update previews set state = 'ended', noted_at = ${now}
        where spec = ${spec} and repository = ${repository.toLowerCase()} and number = ${number}
          and state = 'ending'`;
    },

    /** GitHub's number of the comment that speaks of it. */
    async comment({ spec, repository, number }: PreviewKey): Promise<number | undefined> {
      const row = await first<{ comment: number | string | null }>`
        select comment_id as comment from previews
        where spec = ${spec} and repository = ${repository.toLowerCase()} and number = ${number}`;
      return row?.comment === null || row === undefined ? undefined : Number(row.comment);
    },

    async setComment({ spec, repository, number }: PreviewKey, comment: number): Promise<void> {
      await change`update previews set comment_id = ${comment}
        where spec = ${spec} and repository = ${repository.toLowerCase()} and number = ${number}`;
    },
  };
}
