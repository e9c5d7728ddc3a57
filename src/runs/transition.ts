import { createBroadcast, type Broadcast } from '../lib/broadcast.ts';
import type { Clock } from '../lib/clock.ts';
import { MainsheetError } from '../lib/errors.ts';
import { noFailpoint, type Failpoint } from '../lib/failpoint.ts';
import type { AnswerTo } from '../callbacks/answer.ts';
import type { ToldSpec } from '../callbacks/contract.ts';
import { checkOf } from '../callbacks/check.ts';
import { deploymentTarget } from '../callbacks/deployment.ts';
import { replacementOf } from '../callbacks/deployment-status.ts';
import { callbacksFor, kindOf, toEntry } from '../callbacks/index.ts';
import { placeOf, type GitServers, type ServerType } from '../lib/servers.ts';
import type { Callback } from '../model/callback.ts';
import {
  DEFAULT_FEEDBACK,
  type DeploymentSpec,
  type LoadedSpec,
  type NotifySpec,
} from '../model/deployment-spec.ts';
import { chainsOf, UNREAD, type Follower } from '../model/chain.ts';
import type { Gate } from '../model/gate.ts';
import type { News } from '../model/news.ts';
import { applyCommand, LONGEST_REASON, type RunCommand } from '../model/run-state.ts';
import { pullOf } from '../model/preview.ts';
import { isProtection } from '../model/protection.ts';
import { rollbackDelivery } from '../model/rollback-reason.ts';
import {
  hasEnded,
  isGathering,
  type NewRun,
  type Run,
  type RunState,
  type Step,
} from '../model/run.ts';
import type { StepGate } from '../model/step-gate.ts';
import type { Store, Tables } from '../store/index.ts';
import { alsoRefused, consentOf, isLastWord } from './protection.ts';
import { laneEffects } from './ordering/rules.ts';
import { blockedAsMade } from './plan.ts';
import { isRollback, repeatedBy } from './repeated.ts';
import type { SpecReader } from './snapshot.ts';
import { overrideOf, waitOf, type SharesLane, type Wait } from './waits.ts';

const NONE: GitServers = new Map();

/** The run is another process's by now: the one that held it must stop and write nothing more. */
export class LostRunError extends MainsheetError {
  override readonly name = 'LostRunError';
}

/**
 * The only way in which a run's state changes: the row and the callbacks that tell of it are written in one transaction
 * (G5), so that GitHub never hears of what did not happen and never misses what did.
 */
export interface Transitions {
  /**
   * Makes a run with its snapshot, its steps and its first callbacks, and makes room for it in its lane: what it supersedes
   * is superseded, what it cancels is asked to stop. A run that is made ended changes nothing in its lane; one whose spec
   * or lane is paused is blocked. Answers every run that changed, the new one first; none when the delivery made its run
   * of this spec before (G2). One that gathers events (`isGathering`) is told of when it ends to.
   */
  create(tables: Tables, run: NewRun, loaded: LoadedSpec): Promise<Run[]>;
  /**
   * A run that waits, as pauses and gates are now: blocked while one keeps it from starting, else queued, with what that
   * means for its lane; cancelled when a gate will not open any more. One that gathers events does so until its time is over.
   * Answers every run that changed, this one first. Only with the lock of pauses.
   */
  hold(tables: Tables, run: Run): Promise<Run[]>;
  /**
   * The same for a queued run that is about to start, whose window may have closed since: undefined when it may. Only for a
   * run that no other transaction can take up.
   */
  stopAtGate(tables: Tables, run: Run): Promise<Run | undefined>;
  /**
   * Lets a run that gathers events go on, after those of its spec that began to gather before it in its lane or environment. Answers
   * every run that changed, this one first.
   */
  endGathering(tables: Tables, run: Run): Promise<Run[]>;
  /**
   * Changes a run inside the caller's transaction. With `holder`, only while that one still holds the run.
   * Throws TerminalError `illegal-transition`, or LostRunError when the row has changed meanwhile.
   */
  apply(tables: Tables, run: Run, command: RunCommand, holder?: string): Promise<Run>;
  /** `apply` in a transaction of its own. */
  commit(run: Run, command: RunCommand, holder?: string): Promise<Run>;
  /**
   * A running run waits for people: its step is kept, its lease given back. One that was asked to stop meanwhile is cancelled.
   * Throws LostRunError when `holder` does not hold it any more.
   */
  park(run: Run, holder: string, wait: { step: Step; gate: StepGate }): Promise<Run>;
  /** Says something on the run's check run, where it has one: to someone who has asked for something. */
  note(tables: Tables, run: Run, text: string): Promise<void>;
  /** Tells the process about changes; call it after the transaction they were made in has committed. */
  announce(run: Run): void;
  /** Each run that this process has ended and announced. News tells of those of other processes, too, and less of each. */
  ended: Pick<Broadcast<Run>, 'subscribe'>;
}

export function createTransitions(deps: {
  store: Store;
  specOf: SpecReader;
  clock: Clock;
  news: Broadcast<News>;
  /** Base of the links on GitHub. */
  publicUrl: string | undefined;
  /** As what GitHub is told: without credentials nothing is put in the outbox that only GitHub could take. */
  feedback: 'app' | 'token' | undefined;
  /** Whether a collector gets the spans of runs. */
  traced?: boolean;
  /** Those that are not GitHub: the ones with a token are told. Default none. */
  servers?: GitServers;
  /** What a spec starts when it has ended; undefined while no specs have been read. Default: nothing. */
  followersOf?: (spec: string) => readonly Follower[] | undefined;
  /** Default: no other does. */
  sharesLane?: SharesLane;
  failpoint?: Failpoint;
}): Transitions {
  const { store, specOf, clock, news, sharesLane, failpoint = noFailpoint } = deps;
  const ended = createBroadcast<Run>();

  function serverOf({ repository }: Run): ServerType | undefined {
    const { server } = placeOf(repository, deps.servers ?? NONE) ?? {};
    return server?.token === undefined ? undefined : server.type;
  }

  async function addCallbacks(
    tables: Tables,
    run: Run,
    previous: RunState | undefined,
    spec: ToldSpec,
    asked?: string,
  ): Promise<void> {
    const { publicUrl, traced } = deps;
    if (isProtection(run) && !(await isLastWord(tables, run, previous === undefined))) return;
    const isOver = run.state === 'superseded' || run.state === 'cancelled';
    const other = isOver ? await otherToTell(tables, run, spec) : undefined;
    const wasDeployed = isOver && (await tables.runs.hasDeployed(run));
    const overridden = await overrideOf(tables, run, spec.gates);
    const server = serverOf(run);
    const answerTo = await answersTo(tables, run);
    const told = { wasDeployed, other, overridden, asked, publicUrl, traced, server, answerTo };
    const change = { run, spec, previous, ...told };
    const callbacks = callbacksFor(change);
    await add(tables, run.id, callbacks, run, spec.notify);
  }

  /** Another run that may still deploy the commit, and whose spec, as it was then, has it tell as much. */
  async function otherToTell(
    tables: Tables,
    run: Run,
    { feedback }: ToldSpec,
  ): Promise<Run | undefined> {
    const other = await tables.runs.otherOf(run);
    if (other === undefined || other.specDigest === run.specDigest) return other;
    const told = (await readable(tables, other)) ?? GITHUB_ALONE;
    return feedback.every((one) => told.feedback.includes(one)) ? other : undefined;
  }

  async function add(
    tables: Tables,
    run: string,
    callbacks: readonly Callback[],
    { lane, spec }: Run,
    notify: readonly NotifySpec[],
  ): Promise<void> {
    const sendable = callbacks.filter((callback) => isSendable(callback, notify));
    const added = sendable.map((callback) => ({
      ...toEntry(callback, notify),
      lane: `${lane} ${spec}`,
    }));
    await tables.outbox.add(run, added, clock.now());
  }

  function isSendable(callback: Callback, notify: readonly NotifySpec[]): boolean {
    const kind = kindOf(callback);
    if (kind.payer(callback, notify) === undefined) return true;
    return kind.appOnly === true ? deps.feedback === 'app' : deps.feedback !== undefined;
  }

  /**
   * Records what the run has deployed, or that it has taken a preview down. The Deployment that was in the environment before is not
   * active any more.
   */
  async function recordDeployed(tables: Tables, run: Run): Promise<void> {
    const number = run.event === 'teardown' ? pullOf(run) : undefined;
    if (number === undefined) await tables.environments.record(run, clock.now());
    else {
      await tables.environments.remove(run);
      await tables.previews.end({ ...run, number }, clock.now());
    }
    const previous = await tables.runs.lastToDeploy(run);
    if (previous === undefined || !(await hasDeployment(tables, previous.id))) return;
    await add(tables, previous.id, [replacementOf(previous, run, deps.publicUrl)], run, []);
  }

  /** Undefined for a snapshot that cannot be read: its run must still be able to end. */
  async function readable(tables: Tables, run: Run): Promise<DeploymentSpec | undefined> {
    try {
      return await specOf(tables, run.specDigest);
    } catch (error) {
      if (error instanceof MainsheetError && error.code === 'spec-unreadable') return undefined;
      throw error;
    }
  }

  async function apply(
    tables: Tables,
    run: Run,
    command: RunCommand,
    holder?: string,
  ): Promise<Run> {
    const now = clock.now();
    const next = applyCommand(run, command, now);
    const expected = holder === undefined ? { state: run.state } : { state: run.state, holder };
    if (!(await tables.runs.update(next, expected))) {
      throw new LostRunError('run-lost', `run ${run.id} has changed meanwhile`);
    }
    failpoint('change.inside');
    const isUntold = isGathering(run) && (await tables.batches.close(run.id, now));
    // A process that died may have left one open that no other has come to since.
    if (hasEnded(next.state)) await tables.steps.endOpen(next.id, now);
    if (next.state !== run.state) {
      const spec = await readable(tables, run);
      await addCallbacks(tables, next, isUntold ? undefined : run.state, spec ?? GITHUB_ALONE);
      if (next.state === 'succeeded' && !isProtection(next)) await recordDeployed(tables, next);
    } else if (next.state === 'blocked') {
      // It waits for something else now: what is changed in place says so, and no other is told twice.
      const spec = (await readable(tables, run)) ?? GITHUB_ALONE;
      const notify = spec.notify.map((one) =>
        kindOf(one).isState === true ? one : { ...one, on: [] },
      );
      await addCallbacks(tables, next, 'queued', { ...spec, notify });
    }
    if (hasEnded(next.state)) {
      await startOthers(tables, next);
      for (const other of await alsoRefused(tables, next)) {
        await apply(tables, other, {
          type: 'cancel',
          reason: `Refused by ${next.spec}: ${next.reason}`,
        });
      }
    }
    return next;
  }

  /** Notes which specs the end of a run starts. A rollback starts none: what is behind it in the chain is rolled back by hand. */
  async function startOthers(tables: Tables, run: Run): Promise<void> {
    // What is not merged goes no further.
    if (isProtection(run) || pullOf(run) !== undefined) return;
    const { followersOf = () => [] } = deps;
    const followers = followersOf(run.spec);
    if (followers?.length === 0 || (await isRollback(tables, run))) return;
    const now = clock.now();
    await tables.chains.add(
      followers === undefined
        ? [{ run: run.id, spec: UNREAD, dueAt: now }]
        : chainsOf(run, followers, now),
    );
  }

  /** Lets a job of Actions go on: nothing else is done by its run. */
  async function letGoOn(
    tables: Tables,
    run: Run,
    gates: readonly Gate[] | undefined,
  ): Promise<Run> {
    if (gates === undefined) {
      const reason = 'Its gates cannot be read any more';
      return await apply(tables, run, { type: 'cancel', reason });
    }
    const reason = (await consentOf(tables, run, gates, clock.now())).slice(0, LONGEST_REASON);
    const queued = await apply(tables, run, { type: 'unblock' });
    const started = await apply(tables, queued, { type: 'start' });
    return await apply(tables, started, { type: 'succeed', outputs: {}, reason });
  }

  /** Says what a run waits for, and when to look at it again. */
  async function wait(tables: Tables, run: Run, { reason, lookAt, expired }: Wait): Promise<Run> {
    if (expired !== undefined) {
      return await apply(tables, run, { type: 'cancel', reason: expired });
    }
    await tables.gates.lookAt(run.id, lookAt);
    const isSaid = run.state === 'blocked' && run.reason === reason.slice(0, LONGEST_REASON);
    return isSaid ? run : await apply(tables, run, { type: 'block', reason });
  }

  async function makeRoom(
    tables: Tables,
    run: Run,
    concurrency: DeploymentSpec['concurrency'],
  ): Promise<Run[]> {
    const effects = laneEffects(run, await tables.runs.activeAt(run), concurrency);
    const superseded: Run[] = [];
    // What its pause holds does not take the place of a rollback that still waits for its turn.
    const spared =
      effects.supersede.length === 0 ? undefined : await tables.pauses.sparedBy(run.lane);
    for (const older of effects.supersede) {
      if (older.id === spared) continue;
      const reason = `Superseded by ${run.sha.slice(0, 7)} (run ${run.id})`;
      superseded.push(await apply(tables, older, { type: 'supersede', reason }));
    }
    for (const older of effects.cancel) {
      await tables.runs.requestCancel(older.id, `Cancelled by newer run ${run.id}`);
    }
    return [...superseded, ...effects.cancel];
  }

  async function hold(tables: Tables, run: Run): Promise<Run[]> {
    const gathersUntil = isGathering(run) ? await tables.batches.openUntil(run.id) : undefined;
    if (gathersUntil !== undefined) {
      return gathersUntil > clock.now() ? [run] : await endGathering(tables, run);
    }
    const spec = await readable(tables, run);
    const waits = await waitOf(tables, run, spec ?? GITHUB_ALONE, clock.now(), sharesLane);
    if (waits !== undefined) return [await wait(tables, run, waits)];
    if (run.state === 'queued') return [run];
    if (isProtection(run)) return [await letGoOn(tables, run, spec?.gates)];
    const queued = await unblock(tables, run);
    return [
      queued,
      ...(spec === undefined ? [] : await makeRoom(tables, queued, spec.concurrency)),
    ];
  }

  async function endGathering(tables: Tables, last: Run): Promise<Run[]> {
    const changed: Run[] = [];
    for (const open of await tables.batches.openUpTo(last)) {
      const run = await tables.runs.get(open);
      if (run === undefined) continue;
      const ended = await hold(tables, await unblock(tables, run));
      if (open === last.id) changed.unshift(...ended);
      else changed.push(...ended);
    }
    return changed;
  }

  const unblock = (tables: Tables, run: Run) => apply(tables, run, { type: 'unblock' });

  function announce(run: Run): void {
    news.publish({ kind: 'run', run: run.id, state: run.state, spec: run.spec });
    if (hasEnded(run.state)) ended.publish(run);
  }

  return {
    async create(tables, planned, loaded) {
      const { spec, digest, file, text } = loaded;
      await tables.pauses.lock('to make runs');
      // The order in a lane is the order of making, and what is superseded is not taken up meanwhile, on every replica.
      await tables.runs.lockLane(planned.lane);
      await tables.snapshots.keep({ digest, name: spec.name, file, text }, planned.createdAt);
      const isJob = isProtection(planned);
      const names = isJob ? [] : spec.steps.map((step) => step.name);
      const waits =
        hasEnded(planned.state) || isGathering(planned)
          ? undefined
          : await waitOf(tables, planned, spec, clock.now(), sharesLane);
      // A job of Actions goes on when the other specs of its environment are asked, too.
      const holds = waits?.reason ?? (isJob ? 'Its gates are open' : undefined);
      const placed = holds === undefined ? planned : blockedAsMade(planned, holds);
      const run = await tables.runs.insert(placed, names);
      if (run === undefined) return [];
      if (isGathering(run)) return [run];
      if (waits?.lookAt !== undefined) await tables.gates.lookAt(run.id, waits.lookAt);
      if (hasEnded(run.state)) await tables.steps.endOpen(run.id, clock.now());
      const others =
        isJob || hasEnded(run.state) ? [] : await makeRoom(tables, run, spec.concurrency);
      // What gathers before it would hold it up until its time is over.
      if (spec.batch !== undefined && !isJob && !hasEnded(run.state))
        others.push(...(await endGathering(tables, run)));
      // Last, so that where an older run told of the same commit, the new run has the last word.
      const asked = planned.cause === 'rollback' ? planned.reason : undefined;
      await addCallbacks(tables, run, undefined, spec, asked);
      return [run, ...others];
    },
    hold,
    endGathering,
    async stopAtGate(tables, run) {
      const spec = (await readable(tables, run)) ?? GITHUB_ALONE;
      if (spec.gates.length === 0 && run.startedAt === undefined) return undefined;
      const waits = await waitOf(tables, run, spec, clock.now(), sharesLane);
      return waits && (await wait(tables, run, waits));
    },
    apply,
    async commit(run, command, holder) {
      const next = await store.lazily((tables) => apply(tables, run, command, holder));
      announce(next);
      return next;
    },
    async park({ id, lane, attempts }, holder, { step, gate }) {
      const parked = await store.lazily(async (tables) => {
        await tables.runs.lockLane(lane);
        const run = await tables.runs.get(id);
        if (run?.attempts !== attempts || !(await tables.steps.update(id, step, attempts)))
          throw new LostRunError('run-lost', `run ${id} has changed meanwhile`);
        const { cancelRequested: reason } = run;
        if (reason !== undefined)
          return await apply(tables, run, { type: 'cancel', reason }, holder);
        await tables.gates.holdStep(id, gate);
        const spec = (await readable(tables, run)) ?? GITHUB_ALONE;
        const waits = await waitOf(tables, run, spec, clock.now(), sharesLane);
        await tables.gates.lookAt(id, waits?.lookAt);
        await tables.runs.release(id, holder);
        return await apply(
          tables,
          run,
          { type: 'park', reason: waits?.reason ?? gate.detail },
          holder,
        );
      });
      announce(parked);
      return parked;
    },
    async note(tables, run, text) {
      if (isProtection(run)) return;
      const spec = await readable(tables, run);
      if (spec?.feedback.includes('check') !== true) return;
      const change = { run, spec, previous: run.state, publicUrl: deps.publicUrl };
      await add(tables, run.id, [checkOf(change, text)], run, []);
    },
    announce,
    ended,
  };
}

/** For a run whose spec cannot be read; a Deployment is made before that. */
const GITHUB_ALONE: ToldSpec & Pick<DeploymentSpec, 'steps'> = {
  steps: [],
  feedback: DEFAULT_FEEDBACK,
  notify: [],
  gates: [],
  productionEnvironment: false,
  transientEnvironment: false,
};

/** The senders that want to hear of a run's end: of all requests that it was made for. */
async function answersTo(tables: Tables, run: Run): Promise<AnswerTo[]> {
  if (!hasEnded(run.state)) return [];
  const found = await tables.inbox.callbacks(await askedBy(tables, run));
  return [...found].map(([delivery, text]) => {
    const { url, secret } = JSON.parse(text) as Omit<AnswerTo, 'delivery'>;
    return { delivery, url, secret };
  });
}

/**
 * The requests that caused a run. A rollback is asked for by a request to a hook or by a person, and is no answer to what it goes back to;
 * a retry is what the run is that it repeats. Where it is not known who asked, no answer is sent.
 */
async function askedBy(tables: Tables, ended: Run): Promise<string[]> {
  const run = await repeatedBy(tables, ended);
  if (run === undefined) return [];
  if (run.cause === 'rollback') {
    const made = await tables.audit.ofMade(run);
    const delivery = made && rollbackDelivery(made.detail);
    return delivery === undefined ? [] : [delivery];
  }
  const batch = run.batch === undefined ? undefined : await tables.batches.view(run.batch);
  return batch?.deliveries ?? [run.delivery];
}

/** Whether GitHub shows the run's Deployment, or may yet. */
async function hasDeployment(tables: Tables, run: string): Promise<boolean> {
  if ((await tables.outbox.number(deploymentTarget(run))) !== undefined) return true;
  const told = await tables.outbox.ofRun(run);
  return told.some(({ callback, state }) => callback.kind === 'deployment' && state !== 'obsolete');
}
