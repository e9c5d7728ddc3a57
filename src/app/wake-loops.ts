import type { Loop } from '../controller/loop.ts';
import type { Runner } from '../controller/runner/runner.ts';
import type { Broadcast } from '../lib/broadcast.ts';
import { sameRepository } from '../model/event.ts';
import type { News } from '../model/news.ts';
import { hasEnded } from '../model/run.ts';
import type { Store, WorkTable } from '../store/index.ts';

type Wakes = Pick<Loop, 'wake'>;

/**
 * Wakes each loop when there is work for it: what the store has put into a table is committed by then, and so is what news tell of,
 * also those of other processes. A loop that has a wake too many finds nothing; without one the work waits until the loop looks by
 * itself. What HTTP takes in the intake is told of by `Intake.accepted`.
 */
export function wakeLoops(deps: {
  store: Pick<Store, 'filled'>;
  news: Pick<Broadcast<News>, 'subscribe'>;
  catalog: { onChange(listener: () => void): void };
  intake: Wakes;
  runner: Pick<Runner, 'wake' | 'look'>;
  feedback: Wakes;
  planner: Wakes;
  teardowns: Wakes;
  chains: Wakes;
  /** The repository that the specs are in, and what brings them here. */
  specs: { repository: string; source: Wakes } | undefined;
}): void {
  const { intake, runner, feedback, planner, teardowns, chains, specs } = deps;
  const byTable: Record<WorkTable, Wakes> = {
    inbox: intake,
    outbox: feedback,
    plans: planner,
    previews: teardowns,
  };
  deps.store.filled.subscribe((table) => byTable[table].wake());
  deps.catalog.onChange(() => intake.wake());
  deps.news.subscribe((item) => {
    if (item.kind === 'run') {
      if (hasEnded(item.state)) chains.wake();
      feedback.wake();
      runner.wake();
      if (item.state === 'running') runner.look(item.run);
    }
    const { repository } = item.kind === 'delivery' ? item : {};
    if (repository !== undefined && specs !== undefined) {
      if (sameRepository(repository, specs.repository)) specs.source.wake();
    }
  });
}
