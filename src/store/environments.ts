import type { Kysely } from 'kysely';
import type { Run } from '../model/run.ts';
import type { Database } from './tables.ts';

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

export interface Environments {
  /** Records that a run has been deployed. */
  record(run: Run, now: number): Promise<void>;
  get(lane: string, spec: string): Promise<Environment | undefined>;
  list(): Promise<Environment[]>;
}

export function createEnvironments(db: Kysely<Database>): Environments {
  const rows = () =>
    db
      .selectFrom('environments')
      .select([
        'lane',
        'spec',
        'environment',
        'repository',
        'run_id as run',
        'sha',
        'ref',
        'deployed_at as deployedAt',
      ]);
  return {
    async record(run, now) {
      const deployed = {
        environment: run.environment,
        repository: run.repository,
        run_id: run.id,
        sha: run.sha,
        ref: run.ref,
        deployed_at: now,
      };
      await db
        .insertInto('environments')
        .values({ lane: run.lane, spec: run.spec, ...deployed })
        .onConflict((conflict) => conflict.columns(['lane', 'spec']).doUpdateSet(deployed))
        .execute();
    },

    async get(lane, spec) {
      return await rows().where('lane', '=', lane).where('spec', '=', spec).executeTakeFirst();
    },

    async list() {
      return await rows().orderBy('environment').orderBy('spec').execute();
    },
  };
}
