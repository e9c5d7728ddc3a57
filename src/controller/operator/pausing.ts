import type { Clock } from '../../lib/clock.ts';
import { isoTime } from '../../lib/clock.ts';
import { TerminalError } from '../../lib/errors.ts';
import type { Pause, PauseTarget } from '../../model/pause.ts';
import type { Run } from '../../model/run.ts';
import type { Transitions } from '../../runs/transition.ts';
import type { Catalog } from '../../spec/catalog.ts';
import type { Store, Tables } from '../../store/index.ts';
import { readReason } from './reason.ts';

/** A pause that was made or lifted, and the runs that wait because of it, or wait no longer. */
export interface Paused {
  pause: Pause;
  runs: Run[];
}

/**
 * Keeps runs of a spec, or of all specs in a lane, from starting. What runs goes on; what is made meanwhile waits, and the
 * newest wins among it as ever. A pause belongs to the name: it outlives restarts, and the spec itself when that is
 * removed, so that one that comes back is still paused.
 */
export interface Pausing {
  /** Throws TerminalError `spec-unknown`, `lane-unknown`, `already-paused`, `reason-too-long`. */
  pause(target: PauseTarget, actor: string, reason: string): Promise<Paused>;
  /** Runs wait on where another pause holds them. Throws TerminalError `not-paused`. */
  resume(target: PauseTarget, actor: string): Promise<Paused>;
}

export function createPausing(deps: {
  store: Store;
  transitions: Transitions;
  catalog: Pick<Catalog, 'current'>;
  clock: Clock;
}): Pausing {
  const { store, transitions, clock } = deps;

  /** A misspelt name would pause nothing and say that it did. */
  async function checkKnown(tables: Tables, { kind, name }: PauseTarget): Promise<void> {
    const isKnown = deps.catalog
      .current()
      .specs.some(({ spec }) => name === (kind === 'spec' ? spec.name : spec.concurrency.lane));
    if (isKnown || (await tables.runs.waitingIn({ kind, name }, 'queued')).length > 0) return;
    throw new TerminalError(
      `${kind}-unknown`,
      `there is no ${kind === 'spec' ? 'deployment spec' : 'lane'} ${name}`,
      { hint: '"mainsheet specs" lists the specs and their lanes' },
    );
  }

  async function record(
    tables: Tables,
    actor: string,
    what: string,
    pause: Pause,
    runs: readonly Run[],
  ) {
    const { kind, name, reason } = pause;
    const spec = deps.catalog.current().specs.find((one) => one.spec.name === name)?.spec;
    const detail = [reason, `${runs.length} runs waiting`].filter((part) => part !== '').join('; ');
    await tables.audit.record({
      at: clock.now(),
      actor,
      action: `${kind}.${what}`,
      subject: name,
      repository: kind === 'spec' ? (spec ?? runs[0])?.repository : undefined,
      detail,
    });
  }

  function announce(runs: readonly Run[]): void {
    for (const run of runs) transitions.announce(run);
  }

  return {
    async pause(target, actor, given) {
      const reason = readReason(given);
      const paused = await store.atomically(async (tables) => {
        await tables.pauses.lock('to change');
        const earlier = await tables.pauses.get(target);
        if (earlier !== undefined) throw alreadyPaused(earlier);
        await checkKnown(tables, target);
        const pause: Pause = { ...target, since: clock.now(), by: actor, reason };
        await tables.pauses.add(pause);
        const runs: Run[] = [];
        for (const run of await tables.runs.waitingIn(target, 'queued')) {
          runs.push(...(await transitions.hold(tables, run)));
        }
        await record(tables, actor, 'pause', pause, runs);
        return { pause, runs };
      });
      announce(paused.runs);
      return paused;
    },

    async resume(target, actor) {
      const changed: Run[] = [];
      const resumed = await store.atomically(async (tables) => {
        await tables.pauses.lock('to change');
        const pause = await tables.pauses.get(target);
        if (pause === undefined) throw notPaused(target);
        await tables.pauses.remove(target);
        const runs: Run[] = [];
        for (const waiting of await tables.runs.waitingIn(target, 'blocked')) {
          const [run, ...others] = await transitions.hold(tables, waiting);
          if (run !== undefined) runs.push(run);
          changed.push(...others);
        }
        await record(tables, actor, 'resume', pause, runs);
        return { pause, runs };
      });
      announce([...resumed.runs, ...changed]);
      return resumed;
    },
  };
}

function alreadyPaused({ kind, name, since, by, reason }: Pause): TerminalError {
  const why = reason === '' ? '' : `: ${reason}`;
  return new TerminalError(
    'already-paused',
    `the ${kind} ${name} is paused by ${by} since ${isoTime(since)}${why}`,
    { hint: 'that pause stays as it is; resume it first to pause it for another reason' },
  );
}

function notPaused({ kind, name }: PauseTarget): TerminalError {
  return new TerminalError('not-paused', `the ${kind} ${name} is not paused`, {
    hint: '"mainsheet pauses" lists what is',
  });
}
