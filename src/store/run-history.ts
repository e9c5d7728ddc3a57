import { sql } from 'kysely';
import { hasEnded, type Run, type RunState } from '../model/run.ts';
import { stoodBefore } from '../model/standing.ts';
import { isOneOf, pageOf, repositoriesOf, type PageRequest } from './page.ts';
import { list, queries, when, type Db, type Sql } from './query.ts';
import { ACTIVE, DEPLOYS, ENDED, runs } from './run-rows.ts';

/** Revisions that a run by hand is known to have left behind: each is one question to git. */
const MOST_LEFT = 20;
/** Runs that are told of one commit, the newest. */
const MOST_OF_COMMIT = 50;
/** Newest runs of a lane among which one of a later delivery is looked for: it was made just now, or others have been since. */
const MOST_LATER = 100;
/** Newest successes of a lane among which a rollback finds what it goes back to. */
const MOST_STANDING = 200;

export interface RunFilter {
  spec?: string | undefined;
  repository?: string | undefined;
  state?: RunState | undefined;
  lane?: string | undefined;
  delivery?: string | undefined;
  sha?: string | undefined;
  environment?: string | undefined;
  /** Repositories in small letters: runs of others are not in the list. Undefined: all are. */
  visible?: readonly string[] | undefined;
}

function isEarlierSuccess({ spec, lane, sequence, repository }: Run): Sql {
  const name = repository.toLowerCase();
  return sql`spec = ${spec} and lane = ${lane} and state = 'succeeded' and seq < ${sequence}
    and (lower(repository) = ${name} or lower(repository) in (
      select other.name from repositories own join repositories other on other.id = own.id
      where own.name = ${name}))`;
}

/** What was deployed, and in which order: nothing here writes. */
export function createRunHistory(db: Db) {
  const { column, isThere } = queries(db);
  const read = runs.of(db);

  /** The newest of these. */
  const newest = (which: Sql) =>
    read.first`select * from runs r where ${which} order by seq desc limit 1`;

  return {
    list(request: PageRequest, filter: RunFilter) {
      const which = sql`true
        ${when(filter.spec, (spec) => sql`and spec = ${spec}`)}
        ${/* Said twice, because the indexes are of some states only. */ when(filter.state, (state) => sql`and state = ${state} and ${hasEnded(state) ? ENDED : ACTIVE}`)}
        ${when(filter.lane, (lane) => sql`and lane = ${lane} and lower(lane) = lower(${lane})`)}
        ${when(filter.delivery, (delivery) => sql`and delivery = ${delivery}`)}
        ${when(filter.sha, (sha) => sql`and sha = ${sha}`)}
        ${when(repositoriesOf(filter), (names) => sql`and ${isOneOf(sql`lower(repository)`, names)}`)}
        ${when(filter.environment, (environment) => sql`and environment = ${environment}`)}`;
      return pageOf(db, 'runs', request, which, runs.read);
    },

    /** Runs of a commit, by its name or seven letters of it and more, newest first. `names`: of these repositories alone. */
    ofCommit: (names: readonly string[] | undefined, sha: string) =>
      read.all`select * from runs where sha >= ${sha} and sha < ${`${sha}g`}
        ${when(names, (some) => sql`and lower(repository) in ${list(some.map((name) => name.toLowerCase()))}`)}
        order by seq desc limit ${MOST_OF_COMMIT}`,

    /** The repositories that have runs, in small letters: at most `limit`, found by one look into the index for each. */
    repositories: (limit: number) =>
      column<string>`with recursive names (name) as (
          select min(lower(repository)) from runs
          union all
          select (select min(lower(r.repository)) from runs r where lower(r.repository) > names.name)
          from names where names.name is not null)
        select name from names where name is not null limit ${limit}`,

    /**
     * The newest successful run of the same spec and lane that is older and of another revision, of the same repository by whatever
     * name: the spec may have been another one's before.
     */
    lastSuccessBefore: (run: Run) => newest(sql`${isEarlierSuccess(run)} and sha <> ${run.sha}`),

    /** What stood before what a run deploys, newest first (`stoodBefore`): the first is what a rollback from the run goes back to. */
    async standingBefore(run: Run): Promise<Run[]> {
      const newestOf = await read.all`select * from runs where ${isEarlierSuccess(run)}
        order by seq desc limit ${MOST_STANDING}`;
      return stoodBefore(run, newestOf.toReversed());
    },

    /** Whether another run of the spec has deployed the same commit. */
    hasDeployed: ({ id, spec, sha }: Pick<Run, 'id' | 'spec' | 'sha'>) =>
      isThere`select seq from runs
        where sha = ${sha} and spec = ${spec} and state = 'succeeded' and id <> ${id} and ${DEPLOYS} limit 1`,

    /** The newest other run that has deployed its spec to its environment, in whatever lane. */
    lastToDeploy: ({ id, spec, environment }: Run) =>
      newest(sql`spec = ${spec} and environment = ${environment} and state = 'succeeded'
        and id <> ${id} and ${DEPLOYS}`),

    /**
     * What its spec had before a run that was made by hand went back: the revisions, newest first, that events brought
     * between the run's own revision and the run. Only the newest of many. None for a run that an event made.
     */
    leftBehind: (run: string) =>
      column<string>`
        select gone.sha from runs as back
        join runs as gone on gone.spec = back.spec and gone.lane = back.lane
          and gone.seq < back.seq and gone.cause = 'event'
        where back.id = ${run} and back.cause <> 'event'
        and not exists (
          select 1 from runs as own
          where own.spec = back.spec and own.lane = back.lane and own.sha = back.sha
          and own.seq >= gone.seq and own.seq < back.seq and own.cause = 'event')
        group by gone.sha order by max(gone.seq) desc limit ${MOST_LEFT}`,

    /** Those of the runs that have ended and are older than the run that their environment has. */
    async overtaken(ids: readonly string[]): Promise<ReadonlySet<string>> {
      if (ids.length === 0) return new Set();
      const found = await column<string>`select own.id from runs own
        join environments e
          on e.spec = own.spec and (e.lane = own.lane or e.environment = own.environment)
        join runs newer on newer.id = e.run_id
        where own.id in ${list(ids)} and own.${ENDED} and newer.seq > own.seq`;
      return new Set(found);
    },

    /**
     * The newest run of the spec in the lane that was not superseded, and that a delivery has made which came after the given one,
     * or a person who asked for its commit after that: what came of that to nothing does not count.
     */
    madeByLater: (spec: string, lane: string, delivery: string) =>
      // What took the place of a superseded one counts, if that came later too; else it came late itself.
      newest(sql`r.seq in (
          select seq from runs where spec = ${spec} and lane = ${lane} and cause in ('event', 'deploy')
          order by seq desc limit ${MOST_LATER})
        and r.state <> 'superseded' and (r.cause = 'event' or r.state not in ('failed', 'cancelled'))
        and (select d.seq from deliveries d where d.id = r.delivery)
          > (select own.seq from deliveries own where own.id = ${delivery})`),
  };
}
