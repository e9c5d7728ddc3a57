import type { Clock } from '../../lib/clock.ts';
import { MainsheetError, TerminalError } from '../../lib/errors.ts';
import type { DeploymentSpec } from '../../model/deployment-spec.ts';
import { noFailpoint, type Failpoint } from '../../lib/failpoint.ts';
import {
  judgeGates,
  nameOf,
  type Gate,
  type GateAnswer,
  type GateState,
} from '../../model/gate.ts';
import { hasEnded, isGathering, type Run } from '../../model/run.ts';
import { answerKind, answersToStep, approvalOf, type StepGate } from '../../model/step-gate.ts';
import type { SpecReader } from '../../runs/snapshot.ts';
import type { Transitions } from '../../runs/transition.ts';
import { stepGateOf, waitingSince } from '../../runs/waits.ts';
import type { Store, Tables } from '../../store/index.ts';
import { readReason } from './reason.ts';
import { findRun } from './rollback-target.ts';

/** A person who answers. An administrator counts for every gate, as one person; of others GitHub says who they are. */
export type Person = { login: string } | { administrator: string };

/**
 * What people answer to the gates that a run waits at. An answer is for that run alone and counts once for each person; a
 * refused one changes nothing. All of it lands in the audit table. That a person may act on the repository at all is for the
 * caller to see to. Throws TerminalError `run-unknown`, `illegal-transition` when the run has started or ended, `no-gate` when
 * it has no such gate, `not-an-approver`, `reason-too-long`, `reason-missing`.
 */
export interface Gates {
  /**
   * The run starts in its turn when enough people have approved. Once more from the same person changes nothing. `askedAt`: when the
   * person did it, in milliseconds since the epoch, where that may be long ago; a run that came since, or what a step of one wants to do since,
   * they have not seen.
   */
  approve(run: string, by: Person, reason: string, askedAt?: number): Promise<Run>;
  /** The run is cancelled. */
  reject(run: string, by: Person, reason: string): Promise<Run>;
  /** Opens the run's windows, for a reason that is shown wherever the run is. */
  override(run: string, by: Person, reason: string): Promise<Run>;
  /** The run's gates: as they are now, or as they were when it started or ended. None where its spec cannot be read. */
  view(run: Run): Promise<GateView[]>;
}

/** A gate of a run with what people have answered to it. */
export interface GateView extends GateState {
  answers: GateAnswer[];
}

/** By position, the gates that a person's answer counts for, and why not for the others. Throws RetryableError while GitHub cannot be asked. */
export type Approvers = (
  run: Run,
  gates: readonly Gate[],
  by: Person,
) => Promise<{ counted: number[]; refused: string | undefined }>;

export function createGates(deps: {
  store: Store;
  transitions: Transitions;
  specOf: SpecReader;
  approvers: Approvers;
  clock: Clock;
  failpoint?: Failpoint;
}): Gates {
  const { store, transitions, clock, failpoint = noFailpoint } = deps;

  /** Which gates of the run the answer counts for, or of its step that waits. What is refused is written down too. */
  async function counted(
    run: Run,
    kind: Gate['kind'],
    by: Person,
    what: string,
    step: StepGate | undefined,
  ): Promise<number[]> {
    if (isGathering(run) && (await store.batches.openUntil(run.id)) !== undefined) {
      throw new TerminalError('illegal-transition', `run ${run.id} still gathers events`, {
        hint: 'answer when it has all of them; cancel it to stop it',
      });
    }
    const { gates: all, steps } = await specOf(run);
    const gates = step === undefined ? all : [approvalOf(steps[step.step])].filter(isThere);
    const own = [...gates.entries()].filter(([, gate]) => gate.kind === kind);
    if (own.length === 0) {
      throw new TerminalError('no-gate', `run ${run.id} of ${run.spec} has no gate "${kind}"`);
    }
    const found = await deps.approvers(run, gates, by);
    const positions = own.map(([position]) => position);
    const mine =
      kind === 'window' ? positions : found.counted.filter((one) => positions.includes(one));
    const isRefused = kind === 'window' ? !('administrator' in by) : mine.length === 0;
    if (!isRefused) return mine;
    const why =
      kind === 'window' ? 'only an administrator may override a window' : (found.refused ?? '');
    await record(store, by, `${what}.refused`, run, why);
    throw new TerminalError(
      'not-an-approver',
      `${nameOf(keyOf(by))} may not ${what.split('.')[1]} run ${run.id}: ${why}`,
    );
  }

  /** What a step of the run waits for, that an answer of this kind is to. */
  async function heldStep({ id, startedAt }: Run, kind: Gate['kind']) {
    const isAsked = kind === 'approve' && startedAt !== undefined;
    return isAsked ? await store.gates.ofStep(id) : undefined;
  }

  async function specOf({ specDigest }: Run): Promise<Pick<DeploymentSpec, 'gates' | 'steps'>> {
    try {
      return await deps.specOf(store, specDigest);
    } catch (error) {
      if (error instanceof MainsheetError && error.code === 'spec-unreadable')
        return { gates: [], steps: [] };
      throw error;
    }
  }

  async function record(
    { audit }: Pick<Tables, 'audit'>,
    by: Person,
    action: string,
    run: Run,
    detail: string,
  ): Promise<void> {
    await audit.record({
      at: clock.now(),
      actor: 'login' in by ? keyOf(by) : by.administrator,
      action,
      subject: run.id,
      detail,
    });
  }

  /** Changes a run that has not started, as it is now, in a transaction that no other changes its lane in. */
  async function change(
    run: Run,
    work: (tables: Tables, now: Run) => Promise<Run[]>,
  ): Promise<Run> {
    const changed = await store.atomically(async (tables) => {
      await tables.pauses.lock('to make runs');
      await tables.runs.lockLane(run.lane);
      const now = await findRun(tables.runs, run.id);
      checkWaiting(now);
      return await work(tables, now);
    });
    failpoint('gate.after');
    for (const one of changed) transitions.announce(one);
    return changed[0] ?? run;
  }

  async function answer(
    kind: 'approve' | 'override',
    id: string,
    by: Person,
    reason: string,
    askedAt = Infinity,
  ): Promise<Run> {
    const run = await findRun(store.runs, id);
    checkWaiting(run);
    const asked = kind === 'approve' ? 'approve' : 'window';
    const step = await heldStep(run, asked);
    if ((step?.since ?? run.createdAt) > askedAt) {
      const why =
        step === undefined
          ? `run ${id} was not there yet when it was asked for`
          : `run ${id} waits for another approval than when it was asked for: ${step.detail}`;
      const how = `look at that, and approve it on its page or with: mainsheet approve ${id}`;
      throw new TerminalError('illegal-transition', `${why} (${how})`);
    }
    const gates = await counted(run, asked, by, `run.${kind}`, step);
    return await change(run, async (tables, now) => {
      const how = step === undefined ? kind : answerKind(step);
      const answered = { person: keyOf(by), kind: how, gates, reason, at: clock.now() };
      if (!(await tables.gates.answer(id, answered))) return [now];
      failpoint('gate.inside');
      await record(tables, by, `run.${kind}`, now, reason);
      return await transitions.hold(tables, now);
    });
  }

  return {
    approve: async (id, by, reason, askedAt) =>
      await answer('approve', id, by, readReason(reason), askedAt),

    async override(id, by, given) {
      const reason = readReason(given);
      if (reason !== '') return await answer('override', id, by, reason);
      throw new TerminalError('reason-missing', 'a window is overridden for a reason only', {
        hint: 'say why: the audit table and the Deployment on GitHub show it',
      });
    },

    async view(run) {
      const { gates, steps } = await specOf(run);
      const now = run.finishedAt ?? clock.now();
      const step = await stepGateOf(store, run, steps, now);
      if (gates.length === 0 && step === undefined) return [];
      const answers = await store.gates.answersTo(run.id);
      const isWaiting = run.state === 'blocked' || run.state === 'queued';
      const at = isWaiting ? now : (run.startedAt ?? now);
      const since = await waitingSince(store, run);
      const verdict = judgeGates(gates, { answers, since, now: at });
      const ofSpec = verdict.gates.map((state, position) => ({
        ...state,
        answers: answers.filter(
          ({ kind, gates: to }) => !kind.startsWith('step:') && to.includes(position),
        ),
      }));
      const ofStep = (step?.verdict.gates ?? []).map((state) => ({
        ...state,
        detail: `${state.detail}: ${step?.held.detail}`,
        answers: step === undefined ? [] : answersToStep(answers, step.held),
      }));
      return [...ofSpec, ...ofStep];
    },

    async reject(id, by, given) {
      const reason = readReason(given);
      const run = await findRun(store.runs, id);
      checkWaiting(run);
      await counted(run, 'approve', by, 'run.reject', await heldStep(run, 'approve'));
      return await change(run, async (tables, now) => {
        await record(tables, by, 'run.reject', now, reason);
        const said = `Rejected by ${nameOf(keyOf(by))}${reason === '' ? '' : `: ${reason}`}`;
        return [await transitions.apply(tables, now, { type: 'cancel', reason: said })];
      });
    },
  };
}

/** How a person is written down: GitHub's names have no case. An administrator whom GitHub knows is the same person there. */
export function keyOf(by: Person): string {
  if ('login' in by) return `github:${by.login.toLowerCase()}`;
  return by.administrator.startsWith('github:') ? by.administrator : `admin:${by.administrator}`;
}

function checkWaiting({ id, state }: Run): void {
  if (state === 'blocked' || state === 'queued') return;
  throw new TerminalError('illegal-transition', `run ${id} is ${state}: it waits at no gate`, {
    hint: hasEnded(state) ? 'a run that has ended never changes' : 'cancel it to stop it',
  });
}

function isThere<Value>(value: Value | undefined): value is Value {
  return value !== undefined;
}
