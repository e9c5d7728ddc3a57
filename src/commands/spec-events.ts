import { elsewhere } from '../lib/names.ts';
import type { DeploymentSpec } from '../model/deployment-spec.ts';

/** GitHub's events without which something in a spec never happens. None for a repository on another server. */
export function eventsOf({ repository, on, comments, plan }: DeploymentSpec): string[] {
  if (elsewhere(repository) !== undefined) return [];
  return [
    ...(on.push ? ['push'] : []),
    ...(on.release ? ['release'] : []),
    ...(on.workflowRun ? ['workflow_run'] : []),
    ...(comments ? ['issue_comment', 'commit_comment'] : []),
    ...(plan || on.pullRequest ? ['pull_request'] : []),
  ];
}
