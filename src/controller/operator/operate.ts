import type { Clock } from '../../lib/clock.ts';
import { TerminalError } from '../../lib/errors.ts';
import { newId } from '../../lib/ids.ts';
import type { LoadedSpec } from '../../model/deployment-spec.ts';
import { pullOf } from '../../model/preview.ts';
import { isProtection } from '../../model/protection.ts';
import type { Pause } from '../../model/pause.ts';
import { sayRollback } from '../../model/rollback-reason.ts';
import { hasEnded, newRun, type Run, type RunCause } from '../../model/run.ts';
import { overtakenInLane } from '../../runs/ordering/ordering.ts';
import { supersededAsMade } from '../../runs/plan.ts';
import type { SpecReader } from '../../runs/snapshot.ts';
import type { Transitions } from '../../runs/transition.ts';
import type { Catalog } from '../../spec/catalog.ts';
import type { Store, Tables } from '../../store/index.ts';
import { settleLanes, type RolledBack } from './after-rollback.ts';
import { newerThan } from './newer.ts';
import { readReason } from './reason.ts';
import { checkOwn, createIsOwn, deployedNow, findRun, rollbackTarget } from './rollback-target.ts';

/** What an operator may do to runs and callbacks by hand. Everything is written down in the audit table. */
export interface Operate {
  /** Stops a run: at once while it waits, else its whole process group. Throws `run-unknown`, `illegal-transition`. */
  cancel(run: string, actor: string): Promise<Run>;
  /**
   * Runs the same revision with the same spec again. A newer revision that waits wins: the retry is then superseded as
   * it is made, and says so. One that runs or is deployed it takes the place of, and says that. Throws `illegal-transition` also where its spec is another repository's by now.
   */
  retry(run: string, actor: string): Promise<Run>;
  /**
   * Deploys what had been deployed before `run`, and never what it has itself rolled back from (`stoodBefore`); or what the run `to`
   * deployed. Supersedes what waits, and pauses the lane for what comes after it, unless its
   * spec or `resume` says otherwise. Throws `nothing-to-roll-back-to`, `reason-too-long`, and `illegal-transition` where its spec is
   * another repository's by now.
   */
  rollback(run: string, actor: string, how?: HowToRollBack): Promise<RolledBack>;
  /**
   * The same from the run that has deployed a spec last. What it deployed when it was another repository's
   * counts only where `to` names it. Throws `spec-unknown` too.
   */
  rollbackSpec(spec: string, actor: string, how?: HowToRollBack): Promise<RolledBack>;
  /** Throws what keeps a spec from being rolled back, as `rollbackSpec` does, or `spec-unreadable`; changes nothing. */
  checkRollback(tables: Tables, spec: string): Promise<void>;
  /** Rolls a spec back in a transaction of the caller, who tells of what came of it. */
  rollbackSpecIn(
    tables: Tables,
    spec: string,
    actor: string,
    how: HowToRollBack & { delivery: string },
  ): Promise<RolledBackIn>;
  /** Puts a dead callback back into the outbox, or with `whole` all of its target. Throws `entry-unknown`, `entry-not-dead`. */
  resend(entry: number, actor: string, whole?: boolean): Promise<void>;
  /** Puts every dead callback back into the outbox, and says how many there were. */
  resendAll(actor: string): Promise<number>;
}

/** What a rollback has changed. */
export interface RolledBackIn {
  /** Every run that is another than before, the rollback's first. */
  runs: [Run, ...Run[]];
  /** What keeps the lane as it is after it. */
  pause: Pause | undefined;
}

export interface HowToRollBack {
  /** A run that succeeded: its revision is deployed. */
  to?: string | undefined;
  /** The next commit is deployed, whatever the spec says. */
  resume?: boolean | undefined;
  /** Why, for people: the lane's pause, the audit and the Deployment say it. */
  reason?: string | undefined;
}

export function createOperate(deps: {
  store: Store;
  catalog: Pick<Catalog, 'byName'>;
  transitions: Transitions;
  specOf: SpecReader;
  clock: Clock;
}): Operate {
  const { store, transitions, clock } = deps;
  const isOwn = (tables: Tables) => createIsOwn(deps.catalog, tables.repositories);
  const deployed = (tables: Tables, spec: string, to?: string) =>
    deployedNow(tables, spec, isOwn(tables), to !== undefined);

  /** The spec of a run that may be done again. Throws `illegal-transition`, `spec-unreadable`; changes nothing. */
  async function repeatable(tables: Tables, source: Run, cause: RunCause): Promise<LoadedSpec> {
    if (isProtection(source)) {
      throw new TerminalError(
        'illegal-transition',
        `run ${source.id} stands for a job of GitHub Actions, which only GitHub runs again`,
        { hint: 're-run the job on GitHub' },
      );
    }
    await checkPreview(tables, source, cause);
    return await loadedFrom(tables, source);
  }

  /** A new run of an old one's revision and snapshot. Throws as `repeatable`. */
  async function again(
    tables: Tables,
    source: Run,
    cause: RunCause,
    reason: string,
    actor: string,
  ): Promise<Run[]> {
    const loaded = await repeatable(tables, source, cause);
    const now = clock.now();
    const { sequence: _, ...same } = source;
    const planned = newRun({ ...same, id: newId(now), cause, reason, createdAt: now });
    // The retry of the rollback that the lane is paused for is that rollback, tried once more.
    const isRollback = cause === 'rollback' || (await tables.pauses.spares(source.id));
    const overtaken = isRollback
      ? undefined
      : await overtakenInLane(tables, planned, loaded.spec.concurrency, { of: source });
    const placed = overtaken === undefined ? planned : supersededAsMade(planned, overtaken);
    if (cause === 'retry') {
      await tables.pauses.spareInstead(source.id, planned.id);
      // Before it is made: it may be superseded then, which is told to who asked for what it repeats.
      await record(tables, actor, 'run.retry', source.id, `made run ${planned.id}`);
    }
    const changed = await transitions.create(
      tables,
      placed,
      isRollback ? takingPlaceOfAll(loaded) : loaded,
    );
    if (changed.length === 0) throw new TerminalError('run-lost', 'the run could not be made');
    await tables.runs.setAskedBy(planned.id, actor);
    return changed;
  }

  async function rollBack(
    tables: Tables,
    from: Run,
    actor: string,
    { to, resume = false, reason: given = '', delivery }: HowToRollBack & { delivery?: string },
  ): Promise<RolledBackIn> {
    const why = readReason(given);
    await tables.pauses.lock('to change');
    const target = await rollbackTarget(tables, from, to);
    const said = why === '' ? '' : `: ${why}`;
    const back = `${target.sha.slice(0, 7)}${said}`;
    const reason = `Rollback to ${back} (run ${target.id})`;
    const { spec } = deps.catalog.byName(from.spec) ?? (await loadedFrom(tables, target));
    // Where the next push has its run: the lane may have changed since.
    const { lane } = spec.environment === target.environment ? spec.concurrency : target;
    const lanes = new Set([lane, target.lane]);
    // What the rollback before has left: this one has its own, or none.
    for (const one of lanes) await tables.pauses.releaseRollback(one);
    const [made, ...others] = await again(tables, target, 'rollback', reason, actor);
    if (made === undefined) throw new TerminalError('run-lost', 'the run could not be made');
    const holds = !resume && spec.afterRollback === 'hold';
    const { pause, changed } = await settleLanes(
      { tables, transitions },
      made,
      [...lanes],
      holds
        ? {
            kind: 'lane',
            name: lane,
            since: clock.now(),
            by: actor,
            reason: `rolled back to ${back}`,
          }
        : undefined,
    );
    const detail = sayRollback(made, reason, { paused: pause?.name, delivery });
    await record(tables, actor, 'run.rollback', from.id, detail);
    const own = changed.find(({ id }) => id === made.id) ?? made;
    return { runs: [own, ...others, ...changed.filter(({ id }) => id !== made.id)], pause };
  }

  async function announceRollback(made: Promise<RolledBackIn>): Promise<RolledBack> {
    const { runs, pause } = await made;
    return { run: announce(runs), pause };
  }

  /** Of a preview that is gone nothing is done again; nor is one rolled back. */
  async function checkPreview({ previews }: Tables, run: Run, cause: RunCause): Promise<void> {
    const number = pullOf(run);
    if (number === undefined) return;
    const preview = await previews.get({ ...run, number });
    const wanted = run.event === 'teardown' ? 'ending' : 'live';
    if (cause !== 'rollback' && preview?.state === wanted) return;
    const is =
      cause === 'rollback' ? 'is not rolled back' : `is ${preview?.state ?? 'ended'} by now`;
    throw new TerminalError('illegal-transition', `the preview of pull request #${number} ${is}`, {
      hint: 'push to the pull request, or open it again',
    });
  }

  async function loadedFrom(tables: Tables, run: Run): Promise<LoadedSpec> {
    const spec = await deps.specOf(tables, run.specDigest);
    const snapshot = await tables.snapshots.get(run.specDigest);
    return {
      spec,
      file: snapshot?.file ?? '',
      line: 1,
      text: snapshot?.text ?? '',
      digest: run.specDigest,
    };
  }

  async function record(
    { audit }: Tables,
    actor: string,
    action: string,
    subject: string,
    detail: string,
  ): Promise<void> {
    await audit.record({ at: clock.now(), actor, action, subject, detail });
  }

  function announce(changed: readonly Run[]): Run {
    for (const run of changed) transitions.announce(run);
    const [first] = changed;
    if (first === undefined) throw new TerminalError('run-lost', 'the run could not be made');
    return first;
  }

  return {
    async cancel(id, actor) {
      const reason = `Cancelled by ${actor}`;
      const run = await store.atomically(async (tables) => {
        // What runs may come to wait in its middle.
        await tables.runs.lockLane((await findRun(tables.runs, id)).lane);
        const found = await findRun(tables.runs, id);
        await record(tables, actor, 'run.cancel', id, `was ${found.state}`);
        if (found.state === 'running') {
          await tables.runs.requestCancel(id, reason);
          return { ...found, cancelRequested: reason };
        }
        return await transitions.apply(tables, found, { type: 'cancel', reason });
      });
      return announce([run]);
    },

    async retry(id, actor) {
      const changed = await store.atomically(async (tables) => {
        const source = await findRun(tables.runs, id);
        if (!hasEnded(source.state)) {
          throw new TerminalError('illegal-transition', `run ${id} is ${source.state}`, {
            hint: 'only a run that has ended can be retried; cancel it first',
          });
        }
        await checkOwn(source, isOwn(tables));
        return await again(tables, source, 'retry', await retryReason(tables, source), actor);
      });
      return announce(changed);
    },

    rollback: (id, actor, how = {}) =>
      announceRollback(
        store.atomically(async (tables) => {
          const from = await findRun(tables.runs, id);
          await checkOwn(from, isOwn(tables));
          return await rollBack(tables, from, actor, how);
        }),
      ),

    rollbackSpec: (spec, actor, how = {}) =>
      announceRollback(
        store.atomically(async (tables) =>
          rollBack(tables, await deployed(tables, spec, how.to), actor, how),
        ),
      ),

    async checkRollback(tables, spec) {
      const target = await rollbackTarget(tables, await deployed(tables, spec), undefined);
      await repeatable(tables, target, 'rollback');
    },

    async rollbackSpecIn(tables, spec, actor, how) {
      return await rollBack(tables, await deployed(tables, spec, how.to), actor, how);
    },

    async resend(entry, actor, whole = false) {
      await store.atomically(async (tables) => {
        if (!(await tables.outbox.revive(entry, clock.now(), whole))) {
          const known = await tables.outbox.get(entry);
          throw known === undefined
            ? new TerminalError('entry-unknown', `there is no callback ${entry}`)
            : new TerminalError('entry-not-dead', `callback ${entry} is ${known.state}, not dead`);
        }
        const detail = whole ? 'and all others of its target' : '';
        await record(tables, actor, 'outbox.retry', `${entry}`, detail);
      });
    },

    async resendAll(actor) {
      return await store.atomically(async (tables) => {
        const revived = await tables.outbox.reviveAll(clock.now());
        await record(tables, actor, 'outbox.retry', 'all', `${revived} callbacks`);
        return revived;
      });
    },
  };
}

/** Says too what is newer and will not be deployed any more. */
async function retryReason(tables: Tables, source: Run): Promise<string> {
  const said = `Retry of run ${source.id}`;
  const newer = await newerThan(tables, source);
  if (newer === undefined) return said;
  const { run, does } = newer;
  return `${said}, in place of the newer ${run.sha.slice(0, 7)} (run ${run.id}), which ${does}`;
}

/** What waits for its turn in `queue: all` would keep a rollback from being done, and be held by its pause. */
function takingPlaceOfAll(loaded: LoadedSpec): LoadedSpec {
  const { spec } = loaded;
  return { ...loaded, spec: { ...spec, concurrency: { ...spec.concurrency, queue: 'newest' } } };
}
