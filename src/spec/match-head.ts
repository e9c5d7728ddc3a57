import type { DeploymentSpec } from '../model/deployment-spec.ts';
import type { HeadEvent } from '../model/event.ts';
import { allOf, failed, held, type Verdict } from '../model/verdict.ts';
import { hookTriggerOf, matchesHook } from './match-hook.ts';
import { matchesSchedule, scheduleTriggerOf } from './match-schedule.ts';

/** Whether an event that names no commit starts a spec, as far as the trigger goes, and the revision where that is known. */
export function matchesHead(spec: DeploymentSpec, event: HeadEvent, payload: unknown): Verdict {
  const trigger =
    event.kind === 'hook' ? matchesHook(spec, event, payload) : matchesSchedule(spec, event);
  return trigger.matched ? allOf([trigger, matchesRevision(spec, event)]) : trigger;
}

/** The branch or tag that the trigger names; undefined: the default branch. */
export function refOfTrigger(spec: DeploymentSpec, event: HeadEvent): string | undefined {
  return event.kind === 'hook'
    ? hookTriggerOf(spec, event.hook)?.ref
    : scheduleTriggerOf(spec, event)?.ref;
}

function matchesRevision({ name, repository }: DeploymentSpec, event: HeadEvent): Verdict {
  const found = event.revisions?.get(name);
  if (found === undefined) return allOf([]);
  if ('problem' in found) return failed(`on.${event.kind}.ref`, found.problem);
  const ref = found.ref.replace(/^refs\/(?:heads|tags)\//, '');
  return held(`on.${event.kind}.ref`, `${ref} of ${repository} is at ${found.sha.slice(0, 7)}`);
}
