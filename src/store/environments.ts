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

const mapping = createMapping<Environment>({ names: { run: 'run_id' } });

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
    async remove({ lane, spec }: Pick<Run, 'lane' | 'spec'>): Promise<void> {
      await change`delete from environments where lane = ${lane} and spec = ${spec}`;
    },

    /** What was deployed last in a lane or environment of a spec: one of them may have changed since. */
    get: ({ spec, lane, environment }: Pick<Run, 'spec' | 'lane' | 'environment'>) =>
      first`select * from environments
        where spec = ${spec} and (lane = ${lane} or environment = ${environment})
        order by deployed_at desc limit 1`,

    /** The newest first of a spec and environment, of which the lane has changed. */
    list: () => all`select * from environments order by environment, spec, deployed_at desc`,
  };
}
