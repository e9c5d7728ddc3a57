import { queries, values, type Db } from './query.ts';

const DAY_MS = 86_400_000;

/** The exact text of a spec that some run ran. */
export interface SpecSnapshot {
  digest: string;
  name: string;
  file: string;
  text: string;
}

export type Snapshots = ReturnType<typeof createSnapshots>;

export function createSnapshots(db: Db) {
  const { change, first } = queries(db);
  return {
    async keep({ digest, name, file, text }: SpecSnapshot, now: number): Promise<void> {
      // Young again, and on PostgreSQL locked, so that retention leaves alone what a run is made from.
      const row = { digest, name, file, text, created_at: now };
      await change`insert into spec_snapshots ${values([row])}
        on conflict (digest) do update set created_at = excluded.created_at
        where spec_snapshots.created_at < ${now - DAY_MS}`;
    },

    get: (digest: string) =>
      first<SpecSnapshot>`select digest, name, file, text from spec_snapshots where digest = ${digest}`,
  };
}
