import type { GateAnswer } from '../model/gate.ts';
import type { StepGate } from '../model/step-gate.ts';
import { createMapping } from './mapping.ts';
import { queries, values, type Db } from './query.ts';

type KeptAnswer = GateAnswer & { run: string };

const mapping = createMapping<KeptAnswer>({ names: { run: 'run_id' }, json: ['gates'] });

const held = createMapping<StepGate>({ others: ['run_id'] });

/** What people have answered to the gates of runs, and when runs are to be looked at again. */
export function createGates(db: Db) {
  const { change, column } = queries(db);
  return {
    /** False when the person has given this answer before, which stays as it is. */
    async answer(run: string, answer: GateAnswer): Promise<boolean> {
      const row = mapping.write({ run, ...answer });
      return (await change`insert into gate_answers ${values([row])} on conflict do nothing`) > 0;
    },

    /** Of one run, oldest first. */
    answersTo: (run: string): Promise<GateAnswer[]> =>
      mapping.of(db)
        .all`select * from gate_answers where run_id = ${run} order by at, person, kind`,

    /** What a step of the run waits for from now on. */
    async holdStep(run: string, gate: StepGate): Promise<void> {
      await change`delete from step_gates where run_id = ${run}`;
      await change`insert into step_gates ${values([{ run_id: run, ...held.write(gate) }])}`;
    },

    /** What a step of the run waits for, or waited for last. */
    ofStep: (run: string) => held.of(db).first`select * from step_gates where run_id = ${run}`,

    /** When time alone may change what the run waits for; undefined: never. */
    async lookAt(run: string, at: number | undefined): Promise<void> {
      await change`update runs set look_at = ${at} where id = ${run}`;
    },

    /** Blocked runs whose time to be looked at has come, the one that waits longest first. */
    due: (now: number, most: number) =>
      column<string>`
        select id from runs where state = 'blocked' and look_at is not null and look_at <= ${now}
        order by look_at limit ${most}`,
  };
}
