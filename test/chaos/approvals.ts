import { setTimeout as delay } from 'node:timers/promises';
import { asAdmin } from '../support/admin.ts';
import type { RunView } from '../support/world.ts';
import { readBook } from './book.ts';
import type { ChaosWorld } from './world.ts';
import { queries } from '../../src/store/query.ts';

/** The spec whose runs wait for approval. */
export const GATED = 'approved';

/** A person who approves whatever waits, now and then twice, while controllers die. */
export interface Approvals {
  /** Approves until `over` aborts. */
  keep(over: AbortSignal): Promise<void>;
  /** What is wrong: an approval that was lost or counted twice, a run that started without one. */
  problems(): Promise<string[]>;
}

export function createApprovals(world: ChaosWorld): Approvals {
  const acknowledged = new Set<string>();

  async function approve({ id }: Pick<RunView, 'id'>): Promise<void> {
    const response = await asAdmin(`${world.witness().url}/api/v1/runs/${id}/approve`, {
      method: 'POST',
    });
    await response.arrayBuffer();
    if (response.status === 200) acknowledged.add(id);
  }

  return {
    async keep(over) {
      while (!over.aborted) {
        try {
          const { items } = await world
            .witness()
            .get<{ items: RunView[] }>(`/runs?spec=${GATED}&state=blocked&limit=20`);
          for (const run of items) await Promise.all([approve(run), approve(run)]);
        } catch {
          // It has just died.
        }
        await delay(100, undefined, { signal: over }).catch(() => undefined);
      }
    },

    async problems() {
      const db = world.open();
      try {
        const { all } = queries(db);
        const answers = await all<{ run: string }>`select run_id as run from gate_answers`;
        const audit = await all<{ run: string }>`
          select subject as run from audit where action = 'run.approve'`;
        const runs = await all<{ id: string }>`select id from runs where spec = ${GATED}`;
        const answered = new Set(answers.map(({ run }) => run));
        const counted = Map.groupBy(audit, ({ run }) => run);
        const started = new Set((await readBook(world.book)).map(({ run }) => run));
        return [
          ...[...acknowledged]
            .filter((run) => !answered.has(run))
            .map((run) => `the approval of run ${run} was acknowledged and is gone`),
          ...[...answered]
            .filter((run) => counted.get(run)?.length !== 1)
            .map((run) => `the approval of run ${run} was not counted once`),
          ...runs
            .filter(({ id }) => started.has(id) && !answered.has(id))
            .map(({ id }) => `run ${id} started before it was approved`),
        ];
      } finally {
        await db.destroy();
      }
    },
  };
}
