import { isoTime } from '../lib/clock.ts';
import { TerminalError } from '../lib/errors.ts';
import { IMPORTANCE } from '../model/importance.ts';
import { hasEnded, type Run, type RunState } from '../model/run.ts';
import { buttonsFor, goesBackTo, hasGate, type Button } from './check-buttons.ts';
import { outputOf, type CheckOutput } from './check-output.ts';
import { setCheckRun, type CheckRun } from './check-run.ts';
import type { RunChange } from './contract.ts';
import { alreadyDeployed, linkTo } from './describe.ts';
import { context, given, link } from './fields.ts';
import { githubKind } from './kind.ts';

/** A run's check run: https://docs.github.com/en/rest/checks/runs */
export interface CheckCallback {
  kind: 'check';
  repository: string;
  runId: string;
  spec: string;
  sha: string;
  /** At the change; what is shown is the run as it is when it is sent. */
  state: RunState;
  detailsUrl: string | undefined;
  /** Whether no check run can have been made for the run before. */
  isFirst: boolean;
  /** Whether a commit status says the same. */
  hasStatus: boolean;
  /** Whether people have to approve it. */
  hasGate: boolean;
  /** What is said to someone who asked in vain for something. */
  note?: string | undefined;
}

type Rendered = CheckCallback & {
  status: 'queued' | 'in_progress' | 'completed';
  conclusion: 'success' | 'failure' | 'cancelled' | undefined;
  startedAt: number | undefined;
  finishedAt: number | undefined;
  checkRunId: number | undefined;
  output: CheckOutput;
  buttons: readonly Button[];
};

const STATUSES: Record<RunState, Rendered['status']> = {
  queued: 'queued',
  blocked: 'queued',
  running: 'in_progress',
  succeeded: 'completed',
  failed: 'completed',
  cancelled: 'completed',
  superseded: 'completed',
};

/**
 * One check run for each run: its state, its steps, the end of what the failing one printed, and annotations, and buttons. What is in it
 * is read when it is sent, so none is older than the one before (G5). `success` only for what was deployed, `failure` when a step or Mainsheet
 * failed; `cancelled` for what was cancelled or superseded, since GitHub lets `skipped` and `neutral` pass a required check.
 */
export const check = githubKind<CheckCallback, Rendered>({
  kind: 'check',
  title: 'Check run',
  chosenAs: 'check',
  at: 'github',
  appOnly: true,
  // GitHub goes by the newest of a name: one that ended as it was made would hide that of the run that may still deploy the commit.
  due: (change) =>
    change.previous === undefined && change.other !== undefined ? [] : [checkOf(change)],
  target: ({ runId }) => checkTarget(runId),
  tells: ({ state }) => state,
  importance({ state, hasStatus }) {
    if (!hasEnded(state)) return IMPORTANCE.intermediate;
    return hasStatus ? IMPORTANCE.deployment : IMPORTANCE.final;
  },
  isState: true,

  async render(callback, { run }, { store }) {
    const now = await store.runs.get(run);
    if (now === undefined) throw new TerminalError('run-unknown', `there is no run ${run}`);
    const isOver = now.state === 'superseded' || now.state === 'cancelled';
    const wasDeployed = isOver && (await store.runs.hasDeployed(now));
    return {
      ...callback,
      ...shownOf(now, wasDeployed),
      checkRunId: await store.outbox.number(checkTarget(run)),
      output: await outputOf(now, wasDeployed, callback.note, store),
      buttons: buttonsFor(now, callback.hasGate, await goesBackTo(now, store)),
    };
  },

  bare: (message) => ({
    ...message,
    detailsUrl: undefined,
    output: { title: message.output.title, summary: 'GitHub did not take the details.' },
  }),

  doing: 'set the check run of',
  act: async (octokit, place, message, { retried }) =>
    await setCheckRun(octokit, place, checkRunOf(message), {
      mayBeThere: retried || !message.isFirst,
      mayBeAnnotated: retried,
    }),

  numbered: ({ runId }) => checkTarget(runId),
  permissions: [{ name: 'checks', least: 'write', why: 'to show check runs' }],
});

/** What the outbox knows a run's check run by. */
export const checkTarget = (run: string): string => `check:${run}`;

/** What tells of the change. `note`: what is said to someone who asked for something. */
export function checkOf(
  { run, spec, previous, publicUrl }: Pick<RunChange, 'run' | 'spec' | 'previous' | 'publicUrl'>,
  note?: string,
): CheckCallback {
  return {
    kind: 'check',
    repository: run.repository,
    runId: run.id,
    spec: run.spec,
    sha: run.sha,
    state: run.state,
    detailsUrl: linkTo(run.id, publicUrl),
    isFirst: previous === undefined,
    hasStatus: spec.feedback.includes('status'),
    hasGate: hasGate(run, spec),
    ...(note === undefined ? {} : { note }),
  };
}

/** How a run looks as a check run. `wasDeployed`: whether its spec has deployed the commit before. Pure. */
export function shownOf(
  run: Run,
  wasDeployed: boolean,
): Pick<Rendered, 'status' | 'conclusion' | 'startedAt' | 'finishedAt'> {
  const { state, startedAt, finishedAt } = run;
  const isDeployed = state === 'succeeded' || alreadyDeployed({ run, wasDeployed });
  const ended = isDeployed ? 'success' : state === 'failed' ? 'failure' : 'cancelled';
  const conclusion = hasEnded(state) ? ended : undefined;
  return { status: STATUSES[state], conclusion, startedAt, finishedAt };
}

function checkRunOf(message: Rendered): CheckRun {
  const { sha, spec, runId, checkRunId, status, conclusion, startedAt, finishedAt } = message;
  const { annotations = [], ...output } = message.output;
  const times = {
    started_at: startedAt === undefined ? undefined : isoTime(startedAt),
    completed_at: finishedAt === undefined ? undefined : isoTime(finishedAt),
    details_url: link(message.detailsUrl),
  };
  return {
    sha,
    name: context(`deploy/${spec}`),
    externalId: runId,
    checkRunId,
    shown: {
      ...given(times),
      status,
      ...(conclusion === undefined ? {} : { conclusion }),
      output,
      actions: [...message.buttons],
    },
    annotations,
  };
}
