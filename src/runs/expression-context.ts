import type { DeploymentSpec } from '../model/deployment-spec.ts';
import type { Json } from '../model/event.ts';
import { inputsOf } from '../model/hook.ts';
import type { Run } from '../model/run.ts';
import type { ExpressionContext } from '../spec/expressions.ts';
import { githubContext } from '../spec/github-context.ts';

/** What the templates of a run may speak of, wherever they stand: its steps and its notifications. */
export function expressionContext(
  run: Run,
  spec: DeploymentSpec,
  payload: Json,
): Pick<ExpressionContext, 'run' | 'spec' | 'event' | 'github' | 'inputs'> {
  const github = githubContext(run, payload);
  return { run, spec, event: payload, github, inputs: inputsOfRun(run, payload) };
}

/** What a hook took from the request that made the run. */
export function inputsOfRun(run: Run, payload: Json): { [name: string]: Json } {
  return run.event === 'hook' ? inputsOf(payload) : {};
}
