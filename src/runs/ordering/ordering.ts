import type { Clock } from '../../lib/clock.ts';
import { RetryableError, TerminalError } from '../../lib/errors.ts';
import type { Concurrency, LoadedSpec } from '../../model/deployment-spec.ts';
import type { Event } from '../../model/event.ts';
import { pullOf } from '../../model/preview.ts';
import { PROTECTION } from '../../model/protection.ts';
import { moveOf } from '../../model/push-history.ts';
import type { NewRun, Run } from '../../model/run.ts';
import type { Verdict } from '../../model/verdict.ts';
import type { Store, Tables } from '../../store/index.ts';
import { askWhyLate, type OrderMirrors } from './ask-git.ts';
import {
  laneEffects,
  lateReason,
  supersededBy,
  unreachedReason,
  waitingAfter,
  type Candidate,
  type Lateness,
} from './rules.ts';

/** GitHub's servers do not all show a commit at once: so long after its run was made, in milliseconds, it is looked for again. */
const NOT_SHOWN_MS = 5 * 60_000;

/** An event and what the specs say to it. */
export interface JudgedEvent {
  event: Event;
  verdicts: readonly { loaded: LoadedSpec; verdict: Verdict }[];
}

/**
 * Newest wins, and nothing goes backwards by accident (G4). It is asked three times: before runs are made (`overtaken`), in
 * the transaction that makes one (`overtakenInLane`), and before a run checks its revision out (`whyNotToDeploy`).
 */
export interface Ordering {
  /**
   * By spec: why a new run is superseded as it is made. It would take the place of a run that has a newer revision than the
   * event's, which came late then; or the event's ref does not lead to the revision.
   */
  overtaken(judged: JudgedEvent, signal: AbortSignal): Promise<ReadonlyMap<string, string>>;
  /**
   * Why a run's revision is not to be deployed now; undefined when it is. `begun`: the run has done steps of it before.
   * Throws RetryableError while git cannot be reached, or does not show the commit on its ref yet.
   */
  whyNotToDeploy(run: Run, begun: boolean, signal: AbortSignal): Promise<string | undefined>;
}

export function createOrdering(deps: {
  store: Pick<Store, 'runs' | 'environments' | 'pushes'>;
  mirrors: OrderMirrors;
  clock: Clock;
}): Ordering {
  const { mirrors, clock } = deps;
  const { runs, environments, pushes } = deps.store;

  const movesOf = async (repository: string, branch: string | undefined) =>
    branch === undefined ? [] : await pushes.newest(repository, `refs/heads/${branch}`);

  /**
   * The revision that a candidate comes too late for: that of `other`, a run that was deployed or waits to be, or one that
   * the lane had before it was taken back to `other` by hand. So what lies between the two does not undo a rollback, while
   * what is newer than both, or where its branch stands, moves forward again.
   */
  async function laterThan(
    candidate: Candidate,
    other: { run: string; sha: string; cause?: Run['cause'] },
    signal: AbortSignal,
  ): Promise<{ sha: string; why: Lateness } | undefined> {
    if (candidate.cause !== 'event') return undefined;
    const why = await askWhyLate(mirrors, candidate, { sha: other.sha }, signal);
    if (why !== undefined) return { sha: other.sha, why };
    if (other.cause === 'event') return undefined;
    for (const sha of await runs.leftBehind(other.run)) {
      const late = await askWhyLate(mirrors, candidate, { sha, isLeft: true }, signal);
      if (late !== undefined) return { sha, why: late };
    }
    return undefined;
  }

  /** Why a candidate came too late for what its lane has. */
  async function whyLateFor(
    place: Place,
    candidate: Candidate,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const deployed = await environments.get(place);
    const later = deployed && (await laterThan(candidate, deployed, signal));
    return (
      later &&
      lateReason(candidate.sha, { deployed: deployed.sha, later: later.sha, why: later.why })
    );
  }

  /** Why a new run of the spec would displace a later one. */
  async function whyLateAmong(
    spec: LoadedSpec['spec'],
    candidate: Candidate,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const { concurrency, batch } = spec;
    const active = await runs.activeAt(placeOf(spec));
    const next = {
      id: '',
      spec: spec.name,
      sequence: Infinity,
      cause: 'event',
      state: 'queued',
    } as const;
    // A batch takes no other's place, but no older event takes a batch back either.
    const order = batch === undefined ? concurrency : { ...concurrency, queue: 'newest' as const };
    const { supersede, cancel } = laneEffects(next, active, order);
    for (const displaced of [...cancel, ...supersede].toReversed()) {
      const late = await laterThan(candidate, { ...displaced, run: displaced.id }, signal);
      if (late === undefined) continue;
      const dropped = `since ${candidate.sha.slice(0, 7)} is no longer on its branch`;
      return supersededBy(displaced, late.why === 'dropped' ? dropped : undefined);
    }
    return undefined;
  }

  return {
    async overtaken({ event, verdicts }, signal) {
      const reasons = new Map<string, string>();
      if (!('sha' in event) || event.sha === undefined) return reasons;
      if (event.kind === PROTECTION || event.kind === 'teardown') return reasons;
      const { repository, sha } = event;
      const branch = 'branch' in event ? event.branch : undefined;
      const own = event.kind === 'push' ? [moveOf(event)] : [];
      const moves = async () => [...own, ...(await movesOf(repository, branch))];
      const candidate = { cause: 'event', repository, branch, sha, moves } as const;
      for (const { loaded, verdict } of verdicts) {
        if (!verdict.matched) continue;
        const { spec } = loaded;
        const late = await unlessHopeless(whyLateAmong(spec, candidate, signal));
        if (late !== undefined) reasons.set(spec.name, late);
        if (late !== undefined || event.kind !== 'push' || event.standing?.reached !== false)
          continue;
        reasons.set(
          spec.name,
          (await unlessHopeless(whyLateFor(placeOf(spec), candidate, signal))) ??
            unreachedReason(event.ref, sha, event.standing.head),
        );
      }
      return reasons;
    },

    async whyNotToDeploy(run, begun, signal) {
      const { cause, repository, ref, sha } = run;
      // Their order is that of what GitHub has told of the pull request.
      if (pullOf(run) !== undefined) return undefined;
      const moves = () => movesOf(repository, run.branch);
      const late = await whyLateFor(run, { ...run, moves }, signal);
      if (late !== undefined) return late;
      // A workflow may have run for no branch: then intake has looked for one.
      if (cause !== 'event' || !ref.startsWith('refs/')) return undefined;
      // Of a push that was noted intake has seen that its branch has it.
      if (begun || (await pushes.isNoted(run.delivery))) return undefined;
      const { head, reached } = await mirrors.standing(repository, ref, sha, { signal });
      if (reached === true) return undefined;
      const unreached = unreachedReason(ref, sha, head);
      if (clock.now() - run.createdAt >= NOT_SHOWN_MS) return unreached;
      throw new RetryableError('not-there-yet', unreached);
    },
  };
}

/** Where a spec deploys. */
type Place = Pick<Run, 'spec' | 'lane' | 'environment'>;

const placeOf = ({ name, environment, concurrency: { lane } }: LoadedSpec['spec']): Place => ({
  spec: name,
  lane,
  environment,
});

/** Whether a new run of its spec would end it. */
function wouldGiveWay({ state }: Run, { cancelRunning }: Concurrency): boolean {
  return state === 'queued' || state === 'blocked' || (cancelRunning && state === 'running');
}

/** As in `createResolve`: the run cannot check anything out either, and GitHub hears why. */
async function unlessHopeless<Answer>(asked: Promise<Answer>): Promise<Answer | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (!(error instanceof TerminalError)) throw error;
    return undefined;
  }
}

/**
 * Why a run that is made now is superseded as it is made: for a run of an event, a later delivery has made its run already, or
 * a person has asked for a commit since;
 * for a retry `of` a run, a newer one waits. `newest`: called when no later delivery has made a run. Locks the lane until the
 * transaction's end, so that the answer stays true.
 */
export async function overtakenInLane(
  tables: Tables,
  run: NewRun,
  concurrency: Concurrency,
  { of, newest }: { of?: Run | undefined; newest?: () => void } = {},
): Promise<string | undefined> {
  if (concurrency.queue === 'all' || (run.cause !== 'event' && of === undefined)) return undefined;
  await tables.pauses.lock('to make runs');
  await tables.runs.lockLane(run.lane);
  if (of !== undefined) {
    const newer = waitingAfter(of, await tables.runs.activeAt(run), concurrency).at(-1);
    return newer && supersededBy(newer);
  }
  // One that came after it may have gone on without it: it was deferred, or it was not stored to the end when another
  // replica took the next one.
  const later = await tables.runs.madeByLater(run.spec, run.lane, run.delivery);
  if (later === undefined) newest?.();
  // The same revision is not late when it is deployed once more, but it must not take the place of a run that came after all others.
  const mayGoOn = later?.sha === run.sha && !wouldGiveWay(later, concurrency);
  if (later === undefined || mayGoOn) return undefined;
  return supersededBy(
    later,
    later.cause === 'deploy'
      ? 'which was asked for by hand after the delivery had come'
      : 'whose delivery came later but could be read sooner',
  );
}
