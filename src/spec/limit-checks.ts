import { formatDuration } from '../lib/duration.ts';
import { formatLimit, LIMIT_NAMES, type StepLimits } from '../lib/step-limits.ts';
import type { DeploymentSpec, StepSpec } from '../model/deployment-spec.ts';
import type { Issue } from './problem.ts';
import { valueAt } from '../lib/json.ts';

/** Limits of a spec above what the operator allows, each once for each step that has it. */
export function checkLimits(spec: DeploymentSpec, raw: unknown, allowed: StepLimits): Issue[] {
  return stepsOf(spec).flatMap(({ step, at }) =>
    LIMIT_NAMES.flatMap((name): Issue[] => {
      const [asked, most] = [step.limits?.[name], allowed[name]];
      if (asked === undefined || most === undefined || asked <= most) return [];
      const own = [...at, 'limits', name];
      return [
        {
          path: valueAt(raw, own) !== undefined ? own : ['limits', name],
          message: `a ${name} limit of ${formatLimit(name, asked)} is more than the ${formatLimit(name, most)} of MAINSHEET_STEP_LIMITS`,
          hint: 'ask for less, or let the operator of Mainsheet raise it',
        },
      ];
    }),
  );
}

/** Steps that may take longer than their whole run: it ends first. */
export function checkTimeouts(spec: DeploymentSpec): Issue[] {
  const most = formatDuration(spec.timeoutMs);
  return stepsOf(spec).flatMap(({ step: { timeoutMs }, at }): Issue[] => {
    if (timeoutMs === undefined || timeoutMs <= spec.timeoutMs) return [];
    return [
      {
        path: [...at, 'timeout'],
        message: `the step's limit of ${formatDuration(timeoutMs)} is never reached: the whole run has ${most}`,
        hint: 'raise the "timeout" of the spec, or lower that of the step',
      },
    ];
  });
}

/** Every step, with where it is written. */
function stepsOf({ steps, teardown = [] }: DeploymentSpec) {
  const listed = (key: string, list: readonly StepSpec[]) =>
    list.map((step, index) => ({ step, at: [key, index] }));
  return [...listed('steps', steps), ...listed('teardown', teardown)];
}
