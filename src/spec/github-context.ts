import type { DeploymentSpec } from '../model/deployment-spec.ts';
import type { Event } from '../model/event.ts';
import { pullRef } from '../model/preview.ts';
import { valueAt } from '../lib/json.ts';

/** What expressions know as `github`: the fields of Actions' context of this name that have a meaning here. */
export interface GithubContext {
  event_name: string;
  event: unknown;
  ref: string | undefined;
  ref_name: string | undefined;
  ref_type: 'branch' | 'tag' | undefined;
  sha: string | undefined;
  actor: string | undefined;
  repository: string;
}

/** What the context is about, whether it is matched or runs already. */
interface Subject {
  event: string;
  repository: string;
  /** The whole ref. */
  ref: string | undefined;
  sha: string | undefined;
}

/**
 * With the meaning that Actions gives it for each event: of a push the ref and commit that were pushed, of a release its tag
 * and the tag's commit, of a workflow_run the default branch, whatever the workflow ran for. What is not known is left out;
 * of a workflow_run that is the commit, unless the workflow ran for the default branch.
 *
 * https://docs.github.com/en/actions/reference/workflows-and-actions/contexts#github-context
 * https://docs.github.com/en/actions/reference/workflows-and-actions/events-that-trigger-workflows
 */
export function githubContext(subject: Subject, payload: unknown): GithubContext {
  const { ref, sha } = subject.event === 'workflow_run' ? defaultBranch(subject, payload) : subject;
  const [type, name] = nameOf(ref);
  return {
    event_name: subject.event,
    event: payload,
    ref,
    ref_name: name,
    ref_type: type,
    sha,
    actor: textAt(payload, 'sender', 'login') ?? textAt(payload, 'pusher', 'name'),
    repository: subject.repository,
  };
}

/** The subject of an event that is matched; undefined for one that never deploys. */
export function subjectOf(
  event: Event,
  spec: Pick<DeploymentSpec, 'name' | 'repository'>,
): Subject | undefined {
  switch (event.kind) {
    case 'push':
    case 'deployment':
      return { ...event, event: event.kind };
    case 'release':
      return { ...event, event: event.kind, ref: `refs/tags/${event.tag}` };
    case 'pull_request':
      return { ...event, event: event.kind, ref: pullRef(event.number), sha: event.head };
    case 'workflow_run':
      return { ...event, event: event.kind, ref: undefined };
    case 'hook':
    case 'schedule': {
      const at = event.revisions?.get(spec.name);
      const found = at === undefined || 'problem' in at ? { ref: undefined, sha: undefined } : at;
      return { event: event.kind, repository: spec.repository, ...found };
    }
    default:
      return undefined;
  }
}

function defaultBranch({ sha }: Subject, payload: unknown): Pick<GithubContext, 'ref' | 'sha'> {
  const branch = textAt(payload, 'repository', 'default_branch');
  if (branch === undefined) return { ref: undefined, sha: undefined };
  const isItsOwn = textAt(payload, 'workflow_run', 'head_branch') === branch;
  return { ref: `refs/heads/${branch}`, sha: isItsOwn ? sha : undefined };
}

function nameOf(ref: string | undefined): ['branch' | 'tag' | undefined, string | undefined] {
  if (ref?.startsWith('refs/heads/')) return ['branch', ref.slice('refs/heads/'.length)];
  if (ref?.startsWith('refs/tags/')) return ['tag', ref.slice('refs/tags/'.length)];
  return [undefined, ref];
}

function textAt(payload: unknown, ...path: string[]): string | undefined {
  const value = valueAt(payload, path);
  return typeof value === 'string' && value !== '' ? value : undefined;
}
