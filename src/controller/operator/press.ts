import type { MayDo } from '../../github/may-do.ts';
import { isoTime, type Clock } from '../../lib/clock.ts';
import { RetryableError, TerminalError } from '../../lib/errors.ts';
import type { Delivery } from '../../model/delivery.ts';
import { isFrom, type CheckEvent, type Renamed } from '../../model/event.ts';
import { protectionLane } from '../../model/protection.ts';
import { hasEnded, type Run } from '../../model/run.ts';
import type { Transitions } from '../../runs/transition.ts';
import type { Store, Tables } from '../../store/index.ts';
import type { Gates } from './gates.ts';
import type { Operate } from './operate.ts';

/** Does what the buttons of check runs ask for, and what people answer on GitHub to jobs of Actions. */
export type Pressed = (
  delivery: Pick<Delivery, 'id' | 'attempts'>,
  event: CheckEvent & Renamed,
) => Promise<{ summary: string; specs: [] }>;

/** Runs of one commit that are looked at when all of its check runs are to run again. */
const MOST_RUNS = 200;

/**
 * Does it once, in the transaction that closes the delivery, and answers what came of it. Who pressed is looked up at GitHub; the
 * payload says only what was pressed, and has to name a check run that Mainsheet has made for that very run (G12). What is refused
 * lands in the audit table, on the check run, and nowhere else. Throws RetryableError while GitHub cannot be asked.
 */
export function createPressed(deps: {
  store: Store;
  transitions: Pick<Transitions, 'note'>;
  /** Both on a store of which a transaction may do more than they know of. */
  operateOn: (store: Store) => Pick<Operate, 'cancel' | 'retry' | 'rollback'>;
  gatesOn: (store: Store) => Pick<Gates, 'approve' | 'reject'>;
  mayDo: MayDo;
  clock: Clock;
  /** Called when a check run is to say something. */
  onCallbacks: () => void;
}): Pressed {
  const { store, transitions, clock } = deps;

  return async (delivery, event) => {
    const { press, repository } = event;
    const login = event.by;

    async function close(tables: Tables, summary: string): Promise<void> {
      const outcome = { summary, specs: [] };
      const { id, attempts } = delivery;
      if (await tables.inbox.close(id, 'processed', outcome, clock.now(), attempts)) return;
      throw new RetryableError('delivery-lost', 'another process has taken the delivery');
    }

    /** The store, each transaction of which closes the delivery too, and says on the check run that it was heard. */
    function closing(run: Run, summary: string): Store {
      return {
        ...store,
        atomically: (work) =>
          store.atomically(async (tables) => {
            const result = await work(tables);
            await transitions.note(tables, run, stamped(summary));
            await close(tables, summary);
            return result;
          }),
      };
    }

    async function refuse(
      run: Run | undefined,
      why: string,
      how: { isSaid: boolean; isRecorded?: boolean },
    ): Promise<string> {
      const summary = `Not done: ${why}`;
      await store.atomically(async (tables) => {
        if (run !== undefined) {
          if (how.isRecorded !== true) await record(tables, run, why);
          if (how.isSaid) await transitions.note(tables, run, stamped(why));
        }
        await close(tables, summary);
      });
      deps.onCallbacks();
      return summary;
    }

    async function record({ audit }: Tables, run: Run, why: string): Promise<void> {
      const entry = { actor: actorOf(login), action: `run.${press}.refused`, subject: run.id };
      await audit.record({ at: clock.now(), ...entry, detail: why.slice(0, 500) });
    }

    /** With the time: what GitHub sends of a press is the check run, and the same body counts once. */
    const stamped = (text: string) => `${text} (${isoTime(clock.now())})`;

    async function act(run: Run, on: Store): Promise<void> {
      const actor = actorOf(login);
      if (press === 'retry') await deps.operateOn(on).retry(run.id, actor);
      else if (press === 'cancel') await deps.operateOn(on).cancel(run.id, actor);
      else if (press === 'rollback') await deps.operateOn(on).rollback(run.id, actor);
      else await deps.gatesOn(on)[press](run.id, { login }, event.review?.comment ?? '');
    }

    async function answer(): Promise<string> {
      const found = await runsOf(store, event);
      const [first] = found.runs;
      if (first === undefined) return await refuse(found.claimed, found.why, { isSaid: false });
      const permit = await deps.mayDo(repository, login, press);
      if (!permit.allowed) {
        const why = `@${login} may not ${WORDS[press]}: that needs the permission "${permit.needed}" on ${repository}, and GitHub says "${permit.permission}"`;
        return await refuse(first, why, { isSaid: true });
      }
      const summary = `@${login} asked to ${WORDS[press]} ${found.runs.map(({ id }) => id).join(', ')}`;
      try {
        // The last one closes the delivery. Those before it are not done twice: what was retried is not the newest any more.
        for (const run of found.runs.slice(0, -1)) await act(run, store);
        const last = found.runs.at(-1) ?? first;
        await act(last, closing(last, summary));
        deps.onCallbacks();
        return summary;
      } catch (error) {
        if (!(error instanceof TerminalError)) throw error;
        const why = `@${login} asked to ${WORDS[press]}: ${error.message}`;
        // The gates have written down themselves whom they refuse.
        const isRecorded = error.code === 'not-an-approver';
        return await refuse(first, why, { isSaid: true, isRecorded });
      }
    }

    return { summary: await answer(), specs: [] };
  };
}

const WORDS = {
  retry: 'retry',
  rollback: 'roll back',
  cancel: 'cancel',
  approve: 'approve',
  reject: 'reject',
} as const;

/** As the audit table names people who are known by GitHub alone. */
function actorOf(login: string): string {
  return `github:${login.toLowerCase()}`;
}

interface Found {
  runs: Run[];
  /** The run that was named although the check run is not its own. */
  claimed: Run | undefined;
  why: string;
}

/** The run of the check run that was pressed; of a whole suite each spec's newest run of the commit, when it has ended. */
async function runsOf({ runs }: Pick<Store, 'runs'>, event: CheckEvent & Renamed): Promise<Found> {
  const { checkRun, commit, repository, review } = event;
  if (review !== undefined) return await reviewed({ runs }, event, review);
  if (checkRun === undefined) {
    const { items } = await runs.list({ limit: MOST_RUNS, before: undefined }, { sha: commit });
    const newest = new Map<string, Run>();
    for (const run of items) {
      if (isFrom(event, run.repository) && !newest.has(run.spec)) newest.set(run.spec, run);
    }
    const shown: Run[] = [];
    for (const run of newest.values()) {
      if (hasEnded(run.state) && (await runs.checkRunId(run.id)) !== undefined) shown.push(run);
    }
    const why = `no run of ${commit.slice(0, 7)} that has ended has a check run`;
    return { runs: shown, claimed: undefined, why };
  }
  const run = await runs.get(checkRun.run);
  if (run === undefined)
    return { runs: [], claimed: undefined, why: 'it is the check run of no run' };
  const isOwn =
    isFrom(event, run.repository) &&
    run.sha === commit &&
    (await runs.checkRunId(run.id)) === checkRun.id;
  const why = `check run ${checkRun.id} of ${repository} is not that of run ${run.id}`;
  return isOwn ? { runs: [run], claimed: undefined, why } : { runs: [], claimed: run, why };
}

/** What stands for the jobs of Actions that a person has answered on GitHub. */
async function reviewed(
  { runs }: Pick<Store, 'runs'>,
  event: CheckEvent & Renamed,
  { workflowRun, environments }: NonNullable<CheckEvent['review']>,
): Promise<Found> {
  const waiting: Run[] = [];
  for (const environment of environments) {
    const lane = protectionLane(workflowRun, environment);
    const active = await runs.active(lane);
    waiting.push(...active.filter((run) => isFrom(event, run.repository)));
  }
  const why = `no gate is waited at by workflow run ${workflowRun} for ${environments.join(', ')}`;
  return { runs: waiting, claimed: undefined, why };
}
