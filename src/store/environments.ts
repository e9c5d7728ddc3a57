import { sql } from 'kysely';
import type { Run } from '../model/run.ts';
import { queries, values, type Db } from './query.ts';

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

export type Environments = ReturnType<typeof createEnvironments>;

const COLUMNS = sql`lane, spec, environment, repository, run_id as run, sha, ref, deployed_at as "deployedAt"`;

export function createEnvironments(db: Db) {
  const { all, change, first } = queries(db);
  return {
    /** Records that a run has been deployed. */
    async record(
      { lane, spec, environment, repository, id, sha, ref }: Run,
      now: number,
    ): Promise<void> {
      const row = { lane, spec, environment, repository, run_id: id, sha, ref, deployed_at: now };
      await change`insert into environments ${values([row])}
        on conflict (lane, spec) do update set environment = excluded.environment, sha = excluded.sha,
        repository = excluded.repository, run_id = excluded.run_id, ref = excluded.ref, deployed_at = excluded.deployed_at`;
    },

    /** Nothing is deployed there any more. */
    async remove({ lane, spec }: Pick<Run, 'lane' | 'spec'>): Promise<void> {
      await change`delete from environments where lane = ${lane} and spec = ${spec}`;
    },

    get: (lane: string, spec: string) =>
      first<Environment>`select ${COLUMNS} from environments where lane = ${lane} and spec = ${spec}`,

    list: () => all<Environment>`select ${COLUMNS} from environments order by environment, spec`,
  };
}
