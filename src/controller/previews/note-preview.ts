import type { PullRequestEvent, TeardownEvent } from '../../model/event.ts';
import type { LoadedSpec } from '../../model/deployment-spec.ts';
import { isFork } from '../../spec/match-pull.ts';
import type { Tables } from '../../store/index.ts';
import type { Preview } from '../../store/previews.ts';

/** What a spec says to an event of a pull request, and the run that it would get. */
export interface PreviewRequest {
  loaded: LoadedSpec;
  matched: boolean;
  run: string;
  /** The delivery that the run is made for. */
  delivery: string;
  now: number;
  /** Whether steps run as another user than Mainsheet itself. */
  stepsApart: boolean;
}

/**
 * Notes what an event says of the preview of a pull request, in the transaction that makes its run: it lives from now on for its time,
 * or is due to be taken down. Answers why nothing is to be deployed all the same; undefined when it is.
 */
export async function notePreview(
  tables: Tables,
  event: PullRequestEvent,
  { loaded: { spec }, matched, run, now, stepsApart }: PreviewRequest,
): Promise<string | undefined> {
  const trigger = spec.on.pullRequest;
  if (trigger === undefined) return undefined;
  await tables.pauses.lock('to make runs');
  const { name, repository } = spec;
  const { number, changedAt } = event;
  const key = { spec: name, repository, number };
  const known = await tables.previews.get(key);
  if (known !== undefined && isLate(event, known)) {
    return `pull request #${number} has changed since`;
  }
  if (event.isClosed) {
    await tables.previews.note({
      ...(known ?? nothingOf(key)),
      ...(known?.state === 'live' ? { dueAt: now } : {}),
      reason: 'the pull request was closed',
      closed: true,
      changedAt,
      notedAt: now,
    });
    return undefined;
  }
  if (!matched) return undefined;
  const fork = isFork(event);
  if (fork && !stepsApart) {
    return "a fork's code runs only where steps have a user of their own (MAINSHEET_STEP_USER): it could read Mainsheet's secrets";
  }
  const others = await tables.previews.others(key);
  if (others >= trigger.most) {
    return `${name} has ${others} previews, and no more than ${trigger.most} at once (max)`;
  }
  await tables.previews.note({
    ...key,
    state: 'live',
    runId: run,
    sha: event.head,
    fork,
    closed: false,
    changedAt,
    notedAt: now,
    dueAt: now + trigger.ttlMs,
    reason: 'its time is over',
    delivery: undefined,
  });
  return undefined;
}

/** Why a preview is not to be taken down any more; undefined when it is. */
export async function whyNoTeardown(
  { pauses, previews }: Tables,
  { repository, number }: TeardownEvent,
  { loaded: { spec }, delivery }: Pick<PreviewRequest, 'loaded' | 'delivery'>,
): Promise<string | undefined> {
  await pauses.lock('to make runs');
  const preview = await previews.get({ spec: spec.name, repository, number });
  if (preview?.state === 'ending' && preview.delivery === delivery) return undefined;
  return preview?.state === 'live'
    ? `pull request #${number} was deployed again since`
    : `nothing is left of the preview of pull request #${number}`;
}

/** GitHub's clock shows whole seconds, and nothing else in a payload tells of an order: of what happened in the same one the closing is later, unless it is opened again. */
function isLate({ changedAt, isClosed, isReopened }: PullRequestEvent, known: Preview): boolean {
  if (known.changedAt !== changedAt) return known.changedAt > changedAt;
  return known.closed && !isClosed && !isReopened;
}

/** So that what comes late of a pull request that is closed deploys nothing. */
function nothingOf(key: { spec: string; repository: string; number: number }): Preview {
  return {
    ...key,
    state: 'ended',
    runId: '',
    sha: '',
    fork: false,
    closed: false,
    changedAt: 0,
    notedAt: 0,
    dueAt: 0,
    reason: '',
    delivery: undefined,
  };
}
