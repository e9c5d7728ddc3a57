import { describeError } from '../lib/errors.ts';
import type { DeploymentSpec, HookTrigger } from '../model/deployment-spec.ts';
import type { Event, HookEvent } from '../model/event.ts';
import type { HookPayload } from '../model/hook.ts';
import { allOf, failed, held, type Verdict } from '../model/verdict.ts';
import { evaluateCondition, evaluateText } from './expressions.ts';

/** What conditions on a stored request speak of. `payload` is a `HookPayload`. */
function hookContext(payload: unknown) {
  const { hook, type, inputs, body } = payload as HookPayload;
  return { body, inputs, hook: { id: hook, type } };
}

/** The verdict of a condition over body, inputs and hook; `condition` is what it is called. Never throws. */
export function matchesHookCondition(
  condition: string,
  expression: string | undefined,
  payload: unknown,
): Verdict {
  if (expression === undefined) return allOf([]);
  try {
    return evaluateCondition(expression, hookContext(payload), 'hook')
      ? held(condition, `${expression} is true`)
      : failed(condition, `${expression} is false`);
  } catch (error) {
    return failed(condition, `${expression} could not be decided: ${describeError(error)}`);
  }
}

/** The trigger of a spec that names the hook. */
export function hookTriggerOf({ on }: DeploymentSpec, hook: string): HookTrigger | undefined {
  return on.hooks?.find(({ id }) => id === hook);
}

/** The condition of a verdict that says of a rollback. */
export const ROLLBACK = 'on.hook.do';

/** Whether the event rolls the spec back, and deploys nothing new. */
export function rollsBack(spec: DeploymentSpec, event: Event): boolean {
  return event.kind === 'hook' && hookTriggerOf(spec, event.hook)?.do === 'rollback';
}

/** Why a request to a hook rolls a spec back, in its sender's words; '' without any. Never throws. */
export function rollbackReason(spec: DeploymentSpec, event: HookEvent, payload: unknown): string {
  const { reason } = hookTriggerOf(spec, event.hook) ?? {};
  if (reason === undefined) return '';
  try {
    return evaluateText(reason, hookContext(payload), 'hook');
  } catch (error) {
    return `${reason} could not be read: ${describeError(error)}`;
  }
}

/** Whether a request to a hook starts a spec, as far as the trigger goes. */
export function matchesHook(spec: DeploymentSpec, event: HookEvent, payload: unknown): Verdict {
  const trigger = hookTriggerOf(spec, event.hook);
  if (trigger === undefined) {
    return failed('on.hook.id', `the spec does not name the hook ${event.hook}`);
  }
  return allOf([
    held('on.hook.id', `the request came to the hook ${event.hook}`),
    event.verdict,
    inScope(spec, event),
    matchesHookCondition('on.hook.if', trigger.if, payload),
    trigger.do === 'rollback' ? held(ROLLBACK, 'it rolls the spec back') : allOf([]),
  ]);
}

function inScope({ name }: DeploymentSpec, { scope = [] }: HookEvent): Verdict {
  if (scope.length === 0) return allOf([]);
  return scope.includes(name)
    ? held('hook.specs', `the hook was made for ${scope.join(', ')}`)
    : failed('hook.specs', `the hook was made for ${scope.join(', ')} alone`);
}
