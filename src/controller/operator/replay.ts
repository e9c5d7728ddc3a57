import type { Clock } from '../../lib/clock.ts';
import { TerminalError } from '../../lib/errors.ts';
import type { DeliveryOutcome } from '../../model/delivery.ts';
import type { Json } from '../../model/event.ts';
import type { Run } from '../../model/run.ts';
import type { KeptDelivery } from '../../store/inbox.ts';
import type { Store } from '../../store/index.ts';
import { outcomeOf, type Announce, type Judge } from '../intake/judge.ts';
import type { MakeRuns } from '../intake/make-runs.ts';

/** A replay waits for git at most this long. */
const REPLAY_MS = 5 * 60_000;

/**
 * Runs a stored delivery's payload against today's specs once more. Throws TerminalError `delivery-unknown`,
 * `delivery-pending`, `delivery-copied`, `delivery-forgotten`.
 */
export type Replay = (
  delivery: string,
  actor: string,
) => Promise<{ outcome: DeliveryOutcome; runs: Run[] }>;

export function createReplay(deps: {
  store: Store;
  judge: Judge;
  makeRuns: MakeRuns;
  announce: Announce;
  clock: Clock;
}): Replay {
  const { store, judge, makeRuns, clock } = deps;

  return async (delivery, actor) => {
    const stored = replayable(delivery, await store.inbox.get(delivery));
    const payload = JSON.parse(stored.payload) as Json;
    const signal = AbortSignal.timeout(REPLAY_MS);
    const judged = await judge(stored.delivery.event, payload, signal, false);
    const { made, outcome } = await store.atomically(async (tables) => {
      // Git may have taken minutes: a run whose payload was removed meanwhile would have nothing to read.
      replayable(delivery, await tables.inbox.get(delivery));
      await tables.inbox.forgetMissing(delivery);
      const origin = { delivery, cause: 'replay', overtaken: new Map() } as const;
      const runs = await makeRuns(tables, origin, judged);
      for (const { id } of runs.bySpec.values()) await tables.runs.setAskedBy(id, actor);
      const result = outcomeOf(judged, runs.bySpec, runs.batched, runs.refused);
      await tables.audit.record({
        at: clock.now(),
        actor,
        action: 'delivery.replay',
        subject: delivery,
        detail: result.summary,
      });
      return { made: runs, outcome: result };
    });
    deps.announce(stored.delivery, outcome, made.changed);
    return { outcome, runs: [...made.bySpec.values()] };
  };
}

function replayable(id: string, stored: KeptDelivery | undefined): KeptDelivery {
  if (stored === undefined) {
    throw new TerminalError('delivery-unknown', `there is no delivery ${id}`, {
      hint: '"mainsheet deliveries" lists what there is',
    });
  }
  // It would make its own run besides, as soon as it has its turn. What is closed never becomes pending again, but for what was
  // given up, which a replay ends.
  if (stored.delivery.state === 'pending') {
    throw new TerminalError(
      'delivery-pending',
      `delivery ${id} has not been processed yet, so there is nothing to replay`,
      { hint: `it will be by itself; "mainsheet explain ${id}" says what it waits for` },
    );
  }
  const { copyOf } = stored.delivery;
  if (copyOf !== undefined) {
    throw new TerminalError('delivery-copied', `delivery ${id} has only the body of ${copyOf}`, {
      hint: `replay ${copyOf}`,
    });
  }
  if (stored.payload === '') {
    throw new TerminalError(
      'delivery-forgotten',
      `the payload of delivery ${id} is no longer kept`,
      { hint: 'push again; MAINSHEET_RETENTION says how long payloads are kept' },
    );
  }
  return stored;
}
