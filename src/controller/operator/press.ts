import { toEntry } from '../../callbacks/index.ts';
import type { SlackReplyCallback } from '../../callbacks/slack-reply.ts';
import type { MayDo } from '../../github/may-do.ts';
import { isoTime, type Clock } from '../../lib/clock.ts';
import { RetryableError, TerminalError } from '../../lib/errors.ts';
import type { Delivery } from '../../model/delivery.ts';
import type { Run } from '../../model/run.ts';
import type { SpecReader } from '../../runs/snapshot.ts';
import type { Transitions } from '../../runs/transition.ts';
import type { Store, Tables } from '../../store/index.ts';
import type { Gates } from './gates.ts';
import type { Operate } from './operate.ts';
import { checkPress } from './out-of-date.ts';
import { presserOf, pressedRuns, type PressEvent } from './pressed-runs.ts';

/** Does what the buttons of check runs and of messages ask for, and what people answer on GitHub to jobs of Actions. */
export type Pressed = (
  delivery: Pick<Delivery, 'id' | 'attempts' | 'receivedAt'>,
  event: PressEvent,
) => Promise<{ summary: string; specs: [] }>;

/**
 * Does it once, in the transaction that closes the delivery, and answers what came of it. Who pressed is looked up at GitHub; the
 * payload says only what was pressed, and has to name a check run or a message that Mainsheet has made for that very run (G12). What
 * is refused lands in the audit table, on the check run or before the eyes of who pressed in a chat, and nowhere else. Throws
 * RetryableError while GitHub cannot be asked.
 */
export function createPressed(deps: {
  store: Store;
  transitions: Pick<Transitions, 'note'>;
  /** Both on a store of which a transaction may do more than they know of. */
  operateOn: (store: Store) => Pick<Operate, 'cancel' | 'retry' | 'rollback'>;
  gatesOn: (store: Store) => Pick<Gates, 'approve' | 'reject'>;
  specOf: SpecReader;
  mayDo: MayDo;
  clock: Clock;
}): Pressed {
  const { store, transitions, clock } = deps;

  return async (delivery, event) => {
    const { press } = event;
    const { name, actor, login, unknown } = presserOf(event);

    async function close(tables: Tables, summary: string): Promise<void> {
      const outcome = { summary, specs: [] };
      const { id, attempts } = delivery;
      if (await tables.inbox.close(id, 'processed', outcome, clock.now(), attempts)) return;
      throw new RetryableError('delivery-lost', 'another process has taken the delivery');
    }

    /** To who pressed in a chat only what was refused: of the rest the message tells. */
    async function say(tables: Tables, run: Run, text: string): Promise<void> {
      if (event.kind === 'check') return await transitions.note(tables, run, stamped(text));
      const callback: SlackReplyCallback = { kind: 'slack-reply', delivery: delivery.id, text };
      await tables.outbox.add(run.id, [toEntry(callback)], clock.now());
    }

    /** The store, each transaction of which closes the delivery too, and says on the check run that it was heard. */
    function closing(run: Run, summary: string): Store {
      return {
        ...store,
        atomically: (work) =>
          store.atomically(async (tables) => {
            await checkPress(tables, press, run);
            const result = await work(tables);
            if (event.kind === 'check') await say(tables, run, summary);
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
          if (how.isSaid) await say(tables, run, why);
        }
        await close(tables, summary);
      });
      return summary;
    }

    async function record({ audit }: Tables, run: Run, why: string): Promise<void> {
      const entry = { actor, action: `run.${press}.refused`, subject: run.id };
      await audit.record({ at: clock.now(), ...entry, detail: why.slice(0, 500) });
    }

    /** With the time: what GitHub sends of a press is the check run, and the same body counts once. */
    const stamped = (text: string) => `${text} (${isoTime(clock.now())})`;

    async function act(run: Run, on: Store, login: string): Promise<void> {
      if (press === 'retry') await deps.operateOn(on).retry(run.id, actor);
      else if (press === 'cancel') await deps.operateOn(on).cancel(run.id, actor);
      else if (press === 'rollback') await deps.operateOn(on).rollback(run.id, actor);
      else {
        const review = event.kind === 'check' ? event.review : undefined;
        // A button is the run's own, which therefore was there, whatever the clock said then.
        const since = review === undefined ? run.createdAt : 0;
        const askedAt = Math.max(delivery.receivedAt, since);
        await deps.gatesOn(on)[press](run.id, { login }, review?.comment ?? '', askedAt);
      }
    }

    async function answer(): Promise<string> {
      const isMessage = event.kind === 'message-press';
      const found = await pressedRuns(deps, event);
      const [first] = found.runs;
      if (first === undefined) return await refuse(found.claimed, found.why, { isSaid: isMessage });
      if (login === undefined) {
        const why = `${name} may not ${WORDS[press]}: ${unknown}`;
        return await refuse(first, why, { isSaid: true });
      }
      const summary = `${name} asked to ${WORDS[press]} ${found.runs.map(({ id }) => id).join(', ')}`;
      try {
        const repository = event.kind === 'check' ? event.repository : first.repository;
        const permit = await deps.mayDo(repository, login, press);
        if (!permit.allowed) {
          const why = `${name} may not ${WORDS[press]}: that needs the permission "${permit.needed}" on ${repository}, and GitHub says "${permit.permission}"`;
          return await refuse(first, why, { isSaid: true });
        }
        // The last one closes the delivery. Those before it are not done twice: what was retried is not the newest any more.
        for (const run of found.runs.slice(0, -1)) await act(run, store, login);
        const last = found.runs.at(-1) ?? first;
        await act(last, closing(last, summary), login);
        return summary;
      } catch (error) {
        if (!(error instanceof TerminalError)) throw error;
        const why = `${name} asked to ${WORDS[press]}: ${error.message}`;
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
