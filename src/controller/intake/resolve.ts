import { RetryableError, TerminalError } from '../../lib/errors.ts';
import type { Logger } from '../../lib/logger.ts';
import { elsewhere } from '../../lib/names.ts';
import type { Mirrors } from '../../git/mirrors.ts';
import type { LoadedSpec } from '../../model/deployment-spec.ts';
import type {
  Event,
  HeadEvent,
  HeadRevision,
  Json,
  PushEvent,
  ReleaseEvent,
  Standing,
  WorkflowRunEvent,
} from '../../model/event.ts';
import { moveOf, partOf, wasLeft } from '../../model/push-history.ts';
import { matchesHead, refOfTrigger } from '../../spec/match-head.ts';
import { rollsBack } from '../../spec/match-hook.ts';
import { needsChangedPaths } from '../../spec/match.ts';
import { matchesPush, pushRefMatches } from '../../spec/match-push.ts';
import { matchesWorkflowRun } from '../../spec/match-workflow-run.ts';
import type { Pushes } from '../../store/pushes.ts';

/** The code of the RetryableError for what git does not show, though it may yet. */
export const NOT_THERE_YET = 'not-there-yet';

/** There is no such tag on the server. */
export class MissingTagError extends TerminalError {
  readonly ref: string;

  constructor(tag: string, cause: TerminalError) {
    super(cause.code, cause.message, cause.hint === undefined ? {} : { hint: cause.hint });
    this.ref = `refs/tags/${tag}`;
  }
}

/**
 * Fills in what a payload leaves open and only git knows: whether the ref that it names has the commit, the files of a push
 * whose payload does not list them all, the commit behind a tag, and whether a workflow ran for the branch or for a tag of
 * that name. Asks git only when one of the specs depends on it. With `patient` RetryableError `not-there-yet` says that the
 * server does not show what the event names, which may be because it was told of too soon. A fetch that was asked for at `since` or later is new enough. What `look` says of a
 * commit of the event's ref is taken for granted. Throws RetryableError while git
 * cannot be reached.
 */
export type Resolve = (
  event: Event,
  payload: Json,
  candidates: readonly LoadedSpec[],
  signal: AbortSignal,
  patient: boolean,
  since?: number,
  look?: (sha: string) => Standing | undefined,
) => Promise<Event>;

export function createResolve(deps: {
  mirrors: Pick<
    Mirrors,
    'standing' | 'resolveTag' | 'kindOfHead' | 'changedPaths' | 'findRevision'
  >;
  pushes: Pick<Pushes, 'history'>;
  logger: Logger;
}): Resolve {
  const { mirrors, pushes, logger } = deps;

  return async (event, payload, candidates, signal, patient, since, look) => {
    if (candidates.length === 0) return event;
    const asking = { candidates, signal, patient, since, look };
    if (event.kind === 'hook' || event.kind === 'schedule') {
      return await resolveHeads(event, payload, asking);
    }
    if (event.kind === 'release') return await resolveRelease(event, asking);
    if (event.kind === 'workflow_run') return await resolveHead(event, asking);
    if (event.kind !== 'push' || event.deleted || event.sha === undefined) return event;
    const push = await resolveStanding(await resolveTagPush(event, payload, asking), asking);
    const specs = candidates.map((loaded) => loaded.spec);
    return needsChangedPaths(specs, push) ? await resolvePaths(push, asking) : push;
  };

  async function resolveHeads(
    event: HeadEvent,
    payload: Json,
    { candidates, signal }: Asking,
  ): Promise<HeadEvent> {
    const revisions = new Map<string, HeadRevision>();
    for (const { spec } of candidates) {
      if (rollsBack(spec, event) || !matchesHead(spec, event, payload).matched) continue;
      const ref = refOfTrigger(spec, event);
      revisions.set(spec.name, await headOf(spec.repository, ref, signal));
    }
    return { ...event, revisions };
  }

  async function headOf(
    repository: string,
    ref: string | undefined,
    signal: AbortSignal,
  ): Promise<HeadRevision> {
    try {
      return await mirrors.findRevision(repository, ref, { signal });
    } catch (error) {
      if (!(error instanceof TerminalError)) throw error;
      return { problem: error.message };
    }
  }

  async function resolveRelease(event: ReleaseEvent, asking: Asking): Promise<ReleaseEvent> {
    const wanted = asking.candidates.some(({ spec }) =>
      spec.on.release?.types.includes(event.action),
    );
    if (!wanted || event.draft) return event;
    return { ...event, sha: await commitOfTag(event.repository, event.tag, asking) };
  }

  async function resolveHead(event: WorkflowRunEvent, asking: Asking): Promise<WorkflowRunEvent> {
    const { repository, branch, sha } = event;
    const wanted = asking.candidates.some(
      ({ spec: { on } }) => on.workflowRun && matchesWorkflowRun(on.workflowRun, event).matched,
    );
    if (!wanted) return event;
    try {
      const headIs = await mirrors.kindOfHead(repository, branch, sha, asking);
      if (headIs === 'neither' && asking.patient) throw notYet(sha, branch ?? 'any branch');
      return { ...event, headIs };
    } catch (error) {
      // Then there is nothing to check out either, and the run will say why.
      if (!(error instanceof TerminalError)) throw error;
      logger.warn(
        { repository, sha, reason: error.message },
        'head of the workflow cannot be found',
      );
      return event;
    }
  }

  /** Without `head_commit` the payload of an annotated tag names the tag object only, as other servers than GitHub do anyway. */
  async function resolveTagPush(
    event: PushEvent,
    payload: Json,
    asking: Asking,
  ): Promise<PushEvent> {
    const { tag } = event;
    const hasCommit =
      elsewhere(event.repository) === undefined &&
      typeof payload === 'object' &&
      payload !== null &&
      !Array.isArray(payload) &&
      typeof payload['head_commit'] === 'object' &&
      payload['head_commit'] !== null;
    const wanted = asking.candidates.some(({ spec }) => spec.on.push !== undefined);
    if (tag === undefined || hasCommit || !wanted) return event;
    return { ...event, sha: await commitOfTag(event.repository, tag, asking) };
  }

  async function commitOfTag(repository: string, tag: string, asking: Asking): Promise<string> {
    try {
      return await mirrors.resolveTag(repository, `refs/tags/${tag}`, asking);
    } catch (error) {
      if (!(error instanceof TerminalError) || !isMissing(error)) throw error;
      if (!asking.patient) throw new MissingTagError(tag, error);
      throw new RetryableError(NOT_THERE_YET, `${repository} does not show a tag ${tag} yet`, {
        cause: error,
      });
    }
  }

  async function resolveStanding(event: PushEvent, asking: Asking): Promise<PushEvent> {
    const { ref, sha } = event;
    if (sha === undefined || !wantsStanding(event, asking.candidates)) return event;
    const standing = asking.look?.(sha) ?? (await standingOf(event, sha, asking));
    if (asking.patient && (await mayBeToCome(event, standing))) throw notYet(sha, ref);
    if (event.tag !== undefined && standing.head === undefined && standing.reached === false) {
      const reason = `${event.repository} has no tag ${event.tag}`;
      throw new MissingTagError(event.tag, new TerminalError('tag-missing', reason));
    }
    return { ...event, standing };
  }

  async function standingOf(
    { repository, ref }: PushEvent,
    sha: string,
    { signal, since }: Asking,
  ): Promise<Standing> {
    try {
      return await mirrors.standing(repository, ref, sha, { signal, since });
    } catch (error) {
      if (!(error instanceof TerminalError)) throw error;
      if (isMissing(error)) return { head: undefined, reached: false };
      // The run will say why.
      logger.warn({ repository, ref, sha, reason: error.message }, 'ref cannot be looked at');
      return { head: undefined, reached: undefined };
    }
  }

  /** The server may not know the push yet: it shows the ref without it, or where it was before, and no other push is known to explain that. */
  async function mayBeToCome(event: PushEvent, { head, reached }: Standing): Promise<boolean> {
    const move = moveOf(event);
    if (reached === undefined || (reached && head !== move.before)) return false;
    const history = await pushes.history(event.repository, event.ref);
    return partOf(history, move, head)?.after !== move.after && !wasLeft(history, move);
  }

  async function resolvePaths(event: PushEvent, { signal }: Asking): Promise<PushEvent> {
    const { repository, before, sha } = event;
    if (sha === undefined) return event;
    try {
      const paths = await mirrors.changedPaths(repository, before, sha, {
        ref: event.ref,
        signal,
      });
      return { ...event, changedPaths: { complete: true, paths } };
    } catch (error) {
      // The commit is gone already. The verdict says that the files are not known; the checkout will say the rest.
      if (!(error instanceof TerminalError)) throw error;
      logger.warn({ repository, sha, reason: error.message }, 'changed files cannot be found out');
      return event;
    }
  }
}

/** Whether it matters to one of the specs that the push's ref has its commit. */
export function wantsStanding(event: PushEvent, candidates: readonly LoadedSpec[]): boolean {
  return candidates.some(({ spec: { on } }) => {
    if (on.push === undefined) return false;
    const matches = event.changedPaths.complete ? matchesPush : pushRefMatches;
    return matches(on.push, event).matched;
  });
}

interface Asking {
  candidates: readonly LoadedSpec[];
  signal: AbortSignal;
  /** Whether to wait for what is not there. */
  patient: boolean;
  since: number | undefined;
  look: Parameters<Resolve>[6];
}

function notYet(sha: string, ref: string): RetryableError {
  const name = ref.replace(/^refs\/(?:heads|tags)\//, '');
  return new RetryableError(NOT_THERE_YET, `git does not show ${sha.slice(0, 7)} on ${name} yet`);
}

function isMissing({ code }: TerminalError): boolean {
  return code === 'commit-missing' || code === 'tag-missing';
}
