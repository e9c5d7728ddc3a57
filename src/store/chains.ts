import { sql } from 'kysely';
import { UNREAD } from '../model/chain.ts';
import { createMapping } from './mapping.ts';
import { list, queries, values, type Db } from './query.ts';

/** A spec that a run starts, or would have started. */
export interface Chain {
  run: string;
  /** The spec; `UNREAD` while it is not known which they are. */
  spec: string;
  state: 'waiting' | 'started' | 'skipped';
  /** When it starts, in milliseconds since the epoch. */
  dueAt: number;
  /** Why it was skipped. */
  reason: string;
  /** What has started it. */
  delivery: string | undefined;
}

const mapping = createMapping<Chain>({ names: { run: 'run_id' } });

type NewChain = Pick<Chain, 'run' | 'spec' | 'dueAt'>;
const IS_READ = sql`spec <> ${sql.lit(UNREAD)}`;

/** What runs start when they have ended. */
export function createChains(db: Db) {
  const { change } = queries(db);
  const { all, first } = mapping.of(db);

  async function add(chains: readonly NewChain[]): Promise<void> {
    if (chains.length === 0) return;
    const rows = chains.map((chain) =>
      mapping.write({ ...chain, state: 'waiting', reason: '', delivery: undefined }),
    );
    await change`insert into chains ${values(rows)} on conflict do nothing`;
  }

  return {
    add,

    /** By now it is known which specs the run of an `UNREAD` one starts; not once another process, whose specs may differ, has said so. */
    async resolve({ run }: Pick<Chain, 'run'>, chains: readonly NewChain[]): Promise<void> {
      const gone = await change`delete from chains where run_id = ${run} and not ${IS_READ}`;
      if (gone > 0) await add(chains);
    },

    /** Those whose time has come, the one that waits longest first. */
    due: (now: number, most: number) =>
      all`select * from chains where state = 'waiting' and due_at <= ${now}
        order by due_at, run_id, spec limit ${most}`,

    /** Those that wait, the one whose time comes first before the others. */
    waiting: (most: number) =>
      all`select * from chains where state = 'waiting' and ${IS_READ} order by due_at, run_id, spec limit ${most}`,

    /** Ends the wait of one. False when another process has done so. */
    async end(
      { run, spec }: Pick<Chain, 'run' | 'spec'>,
      as: { state: 'started'; delivery: string } | { state: 'skipped'; reason: string },
    ): Promise<boolean> {
      const { state } = as;
      const [reason, delivery] = state === 'started' ? ['', as.delivery] : [as.reason, null];
      const ended = await change`update chains
        set state = ${state}, reason = ${reason}, delivery = ${delivery}
        where run_id = ${run} and spec = ${spec} and state = 'waiting'`;
      return ended > 0;
    },

    /** What these runs start. */
    ofRuns: (runs: readonly string[]) =>
      all`select * from chains where run_id in ${list(runs)} and ${IS_READ} order by run_id, spec`,

    /** What a delivery was made from. */
    ofDelivery: (delivery: string) => first`select * from chains where delivery = ${delivery}`,
  };
}
