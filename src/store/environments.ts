import { sql } from 'kysely';
import type { Run } from '../model/run.ts';
import { createMapping } from './mapping.ts';
import { inPlace, queries, type Db } from './query.ts';

/** What is deployed: the last successful run of a spec in its lane. */
export interface Environment {
  lane: string;
  spec: string;
  environment: string;
  repository: string;
  run: string;
  sha: string;
  ref: string;
  deployedAt: number;
}

type Place = Pick<Run, 'spec' | 'lane' | 'environment'>;

const mapping = createMapping<Environment>({ names: { run: 'run_id' } });

const isAt = ({ spec, lane, environment }: Place) =>
  sql`spec = ${spec} and (lane = ${lane} or environment = ${environment})`;

export function createEnvironments(db: Db) {
  const { change } = queries(db);
  const { all, first } = mapping.of(db);
  return {
    /** Records that a run has been deployed. */
    async record(
      { lane, spec, environment, repository, id: run, sha, ref }: Run,
      deployedAt: number,
    ): Promise<void> {
      const row = { lane, spec, environment, repository, run, sha, ref, deployedAt };
      await change`insert into environments ${inPlace(['lane', 'spec'], [mapping.write(row)])}`;
    },

    /** Nothing is deployed there any more. */
    async remove(place: Place): Promise<void> {
      await change`delete from environments where ${isAt(place)}`;
    },

    /** What was deployed last in a lane or environment of a spec: one of them may have changed since. */
    get: (place: Place) =>
      first`select * from environments where ${isAt(place)} order by deployed_at desc limit 1`,

    /** The newest first of a spec and environment, of which the lane has changed. */
    list: () => all`select * from environments order by environment, spec, deployed_at desc`,
  };
}
