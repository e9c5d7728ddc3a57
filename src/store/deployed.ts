import { sql } from 'kysely';
import { PROTECTION } from '../model/protection.ts';
import type { Run } from '../model/run.ts';
import { page, repositoriesOf, type Page, type PageRequest } from './page.ts';
import { list, queries, when, type Db, type Row, type Sql } from './query.ts';
import { runs } from './run-rows.ts';

/** A place where a spec deploys, as far as it is asked for. */
export interface DeployedWhere {
  spec: string;
  lane: string;
  /** Repositories in small letters: runs of others are left out. Undefined: none is. */
  visible?: readonly string[] | undefined;
}

/** A run that has changed what is deployed in its lane. One of a preview's teardown has taken it away. */
export interface Deployed {
  run: Run;
  /** Who asked for it; undefined: an event. */
  askedBy: string | undefined;
  /** When the next one came, in milliseconds; undefined: none has. */
  until: number | undefined;
}

type DeployedRow = Row & { seq: number; until: number | null; asked_by: string | null };

/** What was deployed when: nothing here writes. */
export function createDeployed(db: Db) {
  const { all } = queries(db);

  // The states as text: with parameters SQLite does not use the index of some states only.
  const isOf = ({ spec, lane, ...rest }: DeployedWhere, table: 'r' | 'n') => {
    const of = (column: string) => sql.ref(`${table}.${column}`);
    return sql`${of('spec')} = ${spec} and ${of('lane')} = ${lane} and ${of('state')} = 'succeeded'
      and ${of('event')} <> ${sql.lit(PROTECTION)}
      ${when(repositoriesOf(rest), (names) => sql`and lower(${of('repository')}) in ${list(names)}`)}`;
  };

  const read = (where: DeployedWhere, which: Sql, limit: number) => all<DeployedRow>`
    select r.*, (select n.finished_at from runs n where ${isOf(where, 'n')}
      and (n.finished_at, n.seq) > (r.finished_at, r.seq)
      order by n.finished_at, n.seq limit 1) as until
    from runs r where ${isOf(where, 'r')} ${which}
    order by r.finished_at desc, r.seq desc limit ${limit}`;

  const toDeployed = ({ until, ...row }: DeployedRow): Deployed => ({
    run: runs.read(row),
    askedBy: row.asked_by ?? undefined,
    until: until ?? undefined,
  });

  return {
    /** The newest first. */
    async list(where: DeployedWhere, request: PageRequest): Promise<Page<Deployed>> {
      const older = when(
        request.before,
        (before) => sql`and (r.finished_at, r.seq) <
          ((select b.finished_at from runs b where b.seq = ${before}), ${before})`,
      );
      return page(await read(where, older, request.limit + 1), request, toDeployed);
    },

    /** What was there at a time, in milliseconds. */
    async at(where: DeployedWhere, time: number): Promise<Deployed | undefined> {
      const [row] = await read(where, sql`and r.finished_at <= ${time}`, 1);
      return row && toDeployed(row);
    },

    /** What a run has deployed there, if it has. */
    async ofRun(where: DeployedWhere, id: string): Promise<Deployed | undefined> {
      const [row] = await read(where, sql`and r.id = ${id}`, 1);
      return row && toDeployed(row);
    },

    /** What came after `from` and not after `to`, the newest first. */
    async within(where: DeployedWhere, from: number, to: number, limit: number) {
      const which = sql`and r.finished_at > ${from} and r.finished_at <= ${to}`;
      return (await read(where, which, limit)).map(toDeployed);
    },

    /** Every run of the place that was made after one and not after another, the newest first. */
    async between({ spec, lane, ...rest }: DeployedWhere, older: Run, newer: Run, limit: number) {
      return await runs.of(db).all`select * from runs where spec = ${spec} and lane = ${lane}
        ${when(repositoriesOf(rest), (names) => sql`and lower(repository) in ${list(names)}`)}
        and seq > ${older.sequence} and seq <= ${newer.sequence} order by seq desc limit ${limit}`;
    },
  };
}
