import type { DeploymentSpec } from '../model/deployment-spec.ts';
import type { Event } from '../model/event.ts';
import { PROTECTION } from '../model/protection.ts';
import { matchSpec } from './match.ts';
import { hookTriggerOf } from './match-hook.ts';
import { pathListOf, pushRefMatches } from './match-push.ts';
import { matchesWorkflowRun } from './match-workflow-run.ts';

/** Whether the spec may match the event, by what its payload alone says. */
export function mayMatch(spec: DeploymentSpec, event: Event): boolean {
  const { on } = spec;
  switch (event.kind) {
    case 'push':
      return on.push !== undefined && pushRefMatches(on.push, event).matched;
    case 'release':
      return on.release?.types.includes(event.action) ?? false;
    case 'workflow_run':
      return on.workflowRun !== undefined && matchesWorkflowRun(on.workflowRun, event).matched;
    case PROTECTION:
      return matchSpec(spec, event, undefined).matched;
    case 'hook':
      return event.verdict.matched && hookTriggerOf(spec, event.hook) !== undefined;
    case 'schedule':
    case 'deployment':
    case 'teardown':
      return true;
    default:
      return false;
  }
}

/** Whether a push's ref is all that the spec looks at. */
export function looksAtRefAlone({ on, if: condition, batch }: DeploymentSpec): boolean {
  const restrictsPaths = on.push !== undefined && pathListOf(on.push) !== undefined;
  return condition === undefined && batch === undefined && !restrictsPaths;
}
