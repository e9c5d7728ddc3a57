import type { Clock } from '../../lib/clock.ts';
import { describeError, hintOf } from '../../lib/errors.ts';
import { noFailpoint, type Failpoint } from '../../lib/failpoint.ts';
import type { Logger } from '../../lib/logger.ts';
import { retry } from '../../lib/retry.ts';
import type { RunCommand } from '../../model/run-state.ts';
import type { Run } from '../../model/run.ts';
import type { Execute } from '../../runs/execute.ts';
import type { Outcome } from '../../runs/outcome.ts';
import { LostRunError, type Transitions } from '../../runs/transition.ts';
import type { EndLeftovers } from '../../steps/leftovers.ts';
import type { Store } from '../../store/index.ts';
import { createLoop } from '../loop.ts';
import { keepRunLease, type RunLease } from './run-lease.ts';

const POLL_MS = 1000;

/** Takes runs that may start and sees them to their end, at most `concurrency` at once, one a lane. */
export interface Runner {
  wake(): void;
  /** A running run may have been asked to stop: if it is this process's, look now and not at the next heartbeat. */
  look(run: string): void;
  /**
   * Works until `signal` aborts, then takes nothing more, waits up to `graceMs` for what runs, and hands the rest over:
   * the next process goes on at the first unfinished step, or where the work tree is another one at the first.
   */
  run(signal: AbortSignal): Promise<void>;
  active(): number;
}

export function createRunner(deps: {
  store: Store;
  transitions: Transitions;
  execute: Execute;
  /** Ends what steps have left, where that can be told from everything else. */
  endLeftovers?: EndLeftovers | undefined;
  /** Names this process among others. */
  holder: string;
  concurrency: number;
  graceMs: number;
  /** A run whose process stopped renewing is free for another after this, in milliseconds. It is renewed three times in it. */
  leaseMs: number;
  clock: Clock;
  logger: Logger;
  failpoint?: Failpoint;
}): Runner {
  const { store, transitions, clock, logger, holder, leaseMs, failpoint = noFailpoint } = deps;
  const running = new Map<string, { done: Promise<void>; lease: RunLease }>();

  /** Whether steps may have left something since it was last looked for. */
  let mayHaveLeft = true;

  const loop = createLoop({ name: 'runner', turn, pollMs: POLL_MS, logger });

  async function turn(): Promise<boolean> {
    if (running.size >= deps.concurrency) return false;
    if (running.size === 0) await clearUp();
    const run = await claim();
    if (run === undefined) return false;
    if (run.state !== 'running') return true;
    const lease = keepRunLease({ ...deps, runs: store.runs }, run);
    const done = see(run, lease).finally(() => {
      running.delete(run.id);
      loop.wake();
    });
    mayHaveLeft = true;
    running.set(run.id, { done, lease });
    return true;
  }

  /** No run is active, and none starts before this is over. */
  async function clearUp(): Promise<void> {
    if (deps.endLeftovers === undefined || !mayHaveLeft) return;
    mayHaveLeft = false;
    try {
      const ended = await deps.endLeftovers();
      if (ended > 0) logger.warn({ processes: ended }, 'ended processes that steps had left');
    } catch (error) {
      logger.error(
        { error: describeError(error), hint: hintOf(error) },
        'steps have left processes',
      );
    }
  }

  /** The next run that may start, which is this process's now; or one whose window has closed, which is not. */
  async function claim(): Promise<Run | undefined> {
    const run = await store.lazily(async (tables) => {
      const now = clock.now();
      const candidate = await tables.runs.nextRunnable(now, [...running.keys()]);
      if (candidate === undefined) return undefined;
      failpoint('start.before');
      const stopped =
        candidate.state === 'queued' ? await transitions.stopAtGate(tables, candidate) : undefined;
      if (stopped !== undefined) return stopped;
      // Only now is it this process's, and it starts only while it is: two that saw the same run do not both get it.
      if (!(await tables.runs.own(candidate.id, holder, now + leaseMs, now))) return undefined;
      failpoint('start.inside');
      return await transitions.apply(tables, candidate, { type: 'start' }, holder);
    });
    if (run !== undefined) {
      failpoint('start.after');
      transitions.announce(run);
      if (run.state !== 'running') return run;
      logger.info(
        {
          run: run.id,
          spec: run.spec,
          sha: run.sha,
          lane: run.lane,
          delivery: run.delivery,
          attempt: run.attempts,
        },
        'run started',
      );
    }
    return run;
  }

  /** Executes a claimed run and records its end. Never throws: it runs beside the loop. */
  async function see(run: Run, lease: RunLease): Promise<void> {
    try {
      await lease.beat();
      const outcome = await deps.execute(run, lease.signal);
      lease.end();
      await conclude(run, outcome);
    } catch (error) {
      if (error instanceof LostRunError) {
        logger.warn({ run: run.id, spec: run.spec }, 'run was taken over by another process');
      } else {
        logger.error(
          {
            run: run.id,
            spec: run.spec,
            error: describeError(error),
            hint: hintOf(error) ?? 'look at the database and its disk; the run is taken up again',
          },
          'run could not be concluded',
        );
      }
    } finally {
      lease.end();
    }
  }

  async function conclude(run: Run, outcome: Outcome): Promise<void> {
    // After the lease it is for others to say what became of the run.
    const waiting = { clock, timeoutMs: leaseMs };
    if (outcome.kind === 'interrupted') {
      await retry(waiting, () => store.runs.release(run.id, holder));
      logger.info({ run: run.id, spec: run.spec }, 'run handed over');
      return;
    }
    if (outcome.kind === 'waiting') {
      const parked = await retry(waiting, () => transitions.park(run, holder, outcome));
      logger.info(
        { run: run.id, spec: run.spec, reason: parked.reason },
        'run waits in its middle',
      );
      return;
    }
    failpoint('end.before');
    const ended = await retry(waiting, async () => {
      // Read again: the steps that did succeed have put out values meanwhile, which the end must not overwrite.
      const latest = (await store.runs.get(run.id)) ?? run;
      return await transitions.commit(latest, commandFor(outcome), holder);
    });
    failpoint('end.after');
    logger[ended.state === 'failed' ? 'warn' : 'info'](
      {
        run: run.id,
        spec: run.spec,
        sha: run.sha,
        delivery: run.delivery,
        state: ended.state,
        reason: ended.reason,
        ...(outcome.kind === 'failed' && outcome.hint !== undefined && { hint: outcome.hint }),
        durationMs: (ended.finishedAt ?? 0) - (ended.startedAt ?? 0),
      },
      'run ended',
    );
  }

  return {
    wake: () => loop.wake(),
    look(run) {
      void running.get(run)?.lease.beat();
    },
    active: () => running.size,
    async run(signal) {
      await loop.run(signal);
      const all = Promise.all([...running.values()].map(({ done }) => done));
      const late = new AbortController();
      await Promise.race([all, clock.sleep(deps.graceMs, late.signal)]);
      late.abort();
      for (const { lease } of running.values()) lease.interrupt();
      await all;
    },
  };
}

function commandFor(outcome: Exclude<Outcome, { kind: 'interrupted' | 'waiting' }>): RunCommand {
  switch (outcome.kind) {
    case 'succeeded':
      return { type: 'succeed', outputs: outcome.outputs };
    case 'failed':
      return { type: 'fail', fault: outcome.fault, reason: outcome.reason };
    case 'cancelled':
      return { type: 'cancel', reason: outcome.reason };
    case 'superseded':
      return { type: 'supersede', reason: outcome.reason };
  }
}
