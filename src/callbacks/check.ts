import type { Octokit } from '@octokit/rest';
import { unreadableAnswer } from '../github/failure.ts';
import { isoTime } from '../lib/clock.ts';
import { IMPORTANCE } from '../model/importance.ts';
import { hasEnded, type Run, type RunState } from '../model/run.ts';
import { outputOf, type CheckOutput } from './check-output.ts';
import type { CallbackKind, Place, RunChange } from './contract.ts';
import { alreadyDeployed, descriptionOf, linkTo } from './describe.ts';
import { context, description, fieldOf, given, link, madeId } from './fields.ts';

/** A run's check run: https://docs.github.com/en/rest/checks/runs */
export interface CheckCallback {
  kind: 'check';
  repository: string;
  runId: string;
  spec: string;
  sha: string;
  state: RunState;
  conclusion: 'success' | 'failure' | 'cancelled' | undefined;
  /** One line of at most 140 characters. */
  title: string;
  detailsUrl: string | undefined;
  startedAt: number | undefined;
  finishedAt: number | undefined;
  /** Whether no check run can have been made for the run before. */
  isFirst: boolean;
  /** Whether a commit status says the same. */
  hasStatus: boolean;
  /** What is said to someone who asked in vain for something. */
  note?: string | undefined;
}

type Rendered = CheckCallback & {
  checkRunId: number | undefined;
  output: CheckOutput;
};

const STATUSES: Record<RunState, 'queued' | 'in_progress' | 'completed'> = {
  queued: 'queued',
  blocked: 'queued',
  running: 'in_progress',
  succeeded: 'completed',
  failed: 'completed',
  cancelled: 'completed',
  superseded: 'completed',
};

const PER_PAGE = 100;
/** The newest 500 check runs of one commit and name: one made minutes ago is among them. */
const MAX_PAGES = 5;

/**
 * One check run for each run: its state, its steps, the end of what the failing one printed, and annotations. What is in it
 * is read when it is sent, so it is as new as the store. `success` only for what was deployed, `failure` when a step or Mainsheet
 * failed; `cancelled` for what was cancelled or superseded, since GitHub lets `skipped` and `neutral` pass a required check.
 */
export const check: CallbackKind<CheckCallback, Rendered> = {
  kind: 'check',
  chosenAs: 'check',
  appOnly: true,
  due: (change) => [checkOf(change)],
  target: ({ runId }) => `check:${runId}`,
  tells: ({ state }) => state,
  importance({ state, hasStatus }) {
    if (!hasEnded(state)) return IMPORTANCE.intermediate;
    return hasStatus ? IMPORTANCE.deployment : IMPORTANCE.final;
  },
  payer: ({ repository }) => repository,
  isState: true,

  async render(callback, { run }, { store }) {
    return {
      ...callback,
      checkRunId: await store.runs.checkRunId(run),
      output: await outputOf(callback, store),
    };
  },

  bare: (message) => ({
    ...message,
    detailsUrl: undefined,
    output: { title: message.title, summary: 'GitHub did not take the details.' },
  }),

  send: async (message, way) => ({
    id: await way.github(message.repository, 'set the check run of', (octokit, place) =>
      set(octokit, place, message, way.retried),
    ),
  }),

  keep: ({ runs }, run, id) => runs.setCheckRunId(run, id),
  permissions: [{ name: 'checks', least: 'write', why: 'to show check runs' }],
};

/** The run's check run as it is to be after the change. `note`: what is said to someone who asked in vain for something. */
export function checkOf(
  change: Omit<RunChange, 'spec'> & { spec: Pick<RunChange['spec'], 'feedback'> },
  note?: string,
): CheckCallback {
  const { run, spec, previous, publicUrl } = change;
  const isDeployed = alreadyDeployed(change);
  return {
    kind: 'check',
    repository: run.repository,
    runId: run.id,
    spec: run.spec,
    sha: run.sha,
    state: run.state,
    conclusion: conclusionOf(run, isDeployed),
    title: descriptionOf(run, isDeployed),
    detailsUrl: linkTo(run.id, publicUrl),
    startedAt: run.startedAt,
    finishedAt: run.finishedAt,
    isFirst: previous === undefined,
    hasStatus: spec.feedback.includes('status'),
    ...(note === undefined ? {} : { note }),
  };
}

function conclusionOf({ state }: Run, isDeployed: boolean): CheckCallback['conclusion'] {
  if (!hasEnded(state)) return undefined;
  if (state === 'succeeded' || isDeployed) return 'success';
  return state === 'failed' ? 'failure' : 'cancelled';
}

/**
 * Makes the check run, or changes it when it is there, and returns its number. GitHub has no idempotency keys: where a try before
 * may have made it, the one with the run's id in `external_id` is looked for first.
 * https://docs.github.com/en/rest/checks/runs#create-a-check-run
 */
async function set(
  octokit: Octokit,
  place: Place,
  message: Rendered,
  inDoubt: boolean,
): Promise<number> {
  const { checkRunId } = message;
  const mayBeThere = checkRunId === undefined && (inDoubt || !message.isFirst);
  const known = mayBeThere ? await find(octokit, place, message) : checkRunId;
  const told = inDoubt && known !== undefined && (await isAnnotated(octokit, place, known));
  const fields = fieldsOf(message, told);
  if (known === undefined) {
    const made = await octokit.request('POST /repos/{owner}/{repo}/check-runs', {
      ...place,
      ...fields,
      name: nameOf(message),
      head_sha: message.sha,
      external_id: message.runId,
    });
    return madeId(made.status, made.data);
  }
  const { status, data } = await octokit.request(
    'PATCH /repos/{owner}/{repo}/check-runs/{check_run_id}',
    { ...place, ...fields, check_run_id: known },
  );
  return madeId(status, data);
}

function fieldsOf(message: Rendered, isAnnotated: boolean) {
  const { state, conclusion, startedAt, finishedAt, output } = message;
  const { annotations = [], ...shown } = output;
  const times = {
    started_at: startedAt === undefined ? undefined : isoTime(startedAt),
    completed_at: finishedAt === undefined ? undefined : isoTime(finishedAt),
    details_url: link(message.detailsUrl),
  };
  return {
    ...given(times),
    status: STATUSES[state],
    ...(conclusion === undefined ? {} : { conclusion }),
    output: {
      ...shown,
      title: description(shown.title),
      // GitHub adds them to those that are there already.
      ...(annotations.length === 0 || isAnnotated ? {} : { annotations: [...annotations] }),
    },
  };
}

function nameOf({ spec }: CheckCallback): string {
  return context(`deploy/${spec}`);
}

async function find(
  octokit: Octokit,
  place: Place,
  message: CheckCallback,
): Promise<number | undefined> {
  for (let page = 1; page <= MAX_PAGES; page += 1) {
    const { status, data } = await octokit.request(
      'GET /repos/{owner}/{repo}/commits/{ref}/check-runs',
      {
        ...place,
        ref: message.sha,
        check_name: nameOf(message),
        filter: 'all',
        per_page: PER_PAGE,
        page,
      },
    );
    const runs: unknown = fieldOf(data, 'check_runs');
    if (!Array.isArray(runs)) throw unreadableAnswer(status);
    const found: unknown = runs.find((each) => fieldOf(each, 'external_id') === message.runId);
    if (found !== undefined) return madeId(status, found);
    if (runs.length < PER_PAGE) return undefined;
  }
  return undefined;
}

async function isAnnotated(octokit: Octokit, place: Place, id: number): Promise<boolean> {
  const { data } = await octokit.request('GET /repos/{owner}/{repo}/check-runs/{check_run_id}', {
    ...place,
    check_run_id: id,
  });
  return data.output.annotations_count > 0;
}
