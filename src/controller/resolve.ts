import { TerminalError } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import type { Mirrors } from '../git/mirrors.ts';
import type { LoadedSpec } from '../model/deployment-spec.ts';
import type { Event, Json, PushEvent, ReleaseEvent, WorkflowRunEvent } from '../model/event.ts';
import { needsChangedPaths } from '../spec/match.ts';
import { matchesWorkflowRun } from '../spec/match-workflow-run.ts';

/**
 * Fills in what a payload leaves open and only git knows: the files of a push whose payload does not list them all, and
 * the commit behind a tag, and whether a workflow ran for the branch or for a tag of that name. Asks git only when one of the specs depends on it. Throws RetryableError while git cannot be
 * reached.
 */
export type Resolve = (
  event: Event,
  payload: Json,
  candidates: readonly LoadedSpec[],
  signal: AbortSignal,
) => Promise<Event>;

export function createResolve(deps: { mirrors: Mirrors; logger: Logger }): Resolve {
  const { mirrors, logger } = deps;

  return async (event, payload, candidates, signal) => {
    if (candidates.length === 0) return event;
    if (event.kind === 'release') return await resolveRelease(event, candidates, signal);
    if (event.kind === 'workflow_run') return await resolveHead(event, candidates, signal);
    if (event.kind !== 'push' || event.deleted || event.sha === undefined) return event;
    const push = await resolveTagPush(event, payload, candidates, signal);
    const specs = candidates.map((loaded) => loaded.spec);
    return needsChangedPaths(specs, push) ? await resolvePaths(push, signal) : push;
  };

  async function resolveRelease(
    event: ReleaseEvent,
    candidates: readonly LoadedSpec[],
    signal: AbortSignal,
  ): Promise<ReleaseEvent> {
    const wanted = candidates.some(({ spec }) => spec.on.release?.types.includes(event.action));
    if (!wanted || event.draft) return event;
    return { ...event, sha: await mirrors.resolveTag(event.repository, event.tag, { signal }) };
  }

  async function resolveHead(
    event: WorkflowRunEvent,
    candidates: readonly LoadedSpec[],
    signal: AbortSignal,
  ): Promise<WorkflowRunEvent> {
    const { repository, branch, sha } = event;
    const wanted = candidates.some(
      ({ spec: { on } }) => on.workflowRun && matchesWorkflowRun(on.workflowRun, event).matched,
    );
    if (!wanted || branch === undefined) return event;
    try {
      return { ...event, headIs: await mirrors.kindOfHead(repository, branch, sha, { signal }) };
    } catch (error) {
      // Then there is nothing to check out either, and the run will say why.
      if (!(error instanceof TerminalError)) throw error;
      logger.warn({ repository, sha, code: error.code }, 'head of the workflow cannot be found');
      return event;
    }
  }

  /** Without `head_commit` the payload of an annotated tag names the tag object only. */
  async function resolveTagPush(
    event: PushEvent,
    payload: Json,
    candidates: readonly LoadedSpec[],
    signal: AbortSignal,
  ): Promise<PushEvent> {
    const { tag } = event;
    const hasCommit =
      typeof payload === 'object' &&
      payload !== null &&
      !Array.isArray(payload) &&
      typeof payload['head_commit'] === 'object' &&
      payload['head_commit'] !== null;
    const wanted = candidates.some(({ spec }) => spec.on.push !== undefined);
    if (tag === undefined || hasCommit || !wanted) return event;
    return { ...event, sha: await mirrors.resolveTag(event.repository, tag, { signal }) };
  }

  async function resolvePaths(event: PushEvent, signal: AbortSignal): Promise<PushEvent> {
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
      logger.warn({ repository, sha, code: error.code }, 'changed files cannot be found out');
      return event;
    }
  }
}
