import { sql } from 'kysely';
import { createMapping } from './mapping.ts';
import { repositoriesOf } from './page.ts';
import { inPlace, list, queries, when, type Db } from './query.ts';

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
  /** Whether the pull request was closed last, and not opened again. */
  closed: boolean;
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

const mapping = createMapping<Preview>({ flags: ['fork', 'closed'] });

/**
 * The previews of pull requests. Callers of `note` hold the lock of pauses, so that no two of them count at once. `filled` hears when
 * one may be due. */
export function createPreviews(db: Db, filled: () => void) {
  const { all: rowsOf, change, value } = queries(db);
  const { all, first } = mapping.of(db);
  const isOf = ({ spec, repository, number }: PreviewKey) =>
    sql`spec = ${spec} and repository = ${repository.toLowerCase()} and number = ${number}`;

  return {
    get: (key: PreviewKey) => first`select * from previews where ${isOf(key)}`,

    /** What is known of it now. */
    async note(preview: Preview): Promise<void> {
      const row = mapping.write({ ...preview, repository: preview.repository.toLowerCase() });
      await change`insert into previews ${inPlace(['spec', 'repository', 'number'], [row])}`;
      filled();
    },

    /** How many of a spec there are, but for that of one pull request. */
    async others(key: PreviewKey): Promise<number> {
      const count = await value<number>`select count(*) from previews
        where spec = ${key.spec} and state <> 'ended' and not (${isOf(key)})`;
      return count ?? 0;
    },

    /**
     * Those that are there, and those that are being taken down, the one that ends first before the others. `visible`: only those
     * of these repositories, in small letters; undefined: all.
     */
    open: (most: number, visible?: readonly string[]) =>
      all`select * from previews where state <> 'ended'
        ${when(repositoriesOf({ visible }), (names) => sql`and repository in ${list(names)}`)}
        order by due_at, spec, number limit ${most}`,

    /** How many there are of each spec; of specs without any nothing. `visible` as in `open`. */
    async counts(visible?: readonly string[]): Promise<ReadonlyMap<string, number>> {
      const rows = await rowsOf<{ spec: string; count: number }>`
        select spec, count(*) as count from previews where state <> 'ended'
          ${when(repositoriesOf({ visible }), (names) => sql`and repository in ${list(names)}`)}
        group by spec`;
      return new Map(rows.map(({ spec, count }) => [spec, count]));
    },

    /** Those whose time has come, the one that waits longest first. */
    due: (now: number, most: number) =>
      all`select * from previews where state = 'live' and due_at <= ${now}
        order by due_at, spec, number limit ${most}`,

    /** Those that were noted before and are there still. */
    liveSince: (before: number) =>
      all`select * from previews where state = 'live' and noted_at <= ${before}`,

    /** Begins to take one down. False when another process has done so, or it was deployed again. */
    async begin(preview: Preview, delivery: string): Promise<boolean> {
      const begun = await change`update previews set state = 'ending', delivery = ${delivery}
        where ${isOf(preview)} and state = 'live'
        and run_id = ${preview.runId} and due_at = ${preview.dueAt}`;
      return begun > 0;
    },

    /** Nothing is left of it, unless it was deployed again meanwhile. */
    async end(key: PreviewKey, now: number): Promise<void> {
      await change`update previews set state = 'ended', noted_at = ${now}
        where ${isOf(key)} and state = 'ending'`;
    },
  };
}
