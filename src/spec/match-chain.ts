import { chainTriggerOf, describeChain } from '../model/chain.ts';
import type { DeploymentSpec } from '../model/deployment-spec.ts';
import type { ChainEvent } from '../model/event.ts';
import { allOf, failed, held, type Verdict } from '../model/verdict.ts';

/** Whether the end of another spec's run starts a spec: its file may say something else by now. */
export function matchesChain(spec: DeploymentSpec, event: ChainEvent): Verdict {
  const { run, spec: other, state } = event.after;
  if (spec.name !== event.starts) {
    return failed('on.deployment', `run ${run} of ${other} starts ${event.starts}`);
  }
  const trigger = chainTriggerOf(spec, other, state);
  return trigger === undefined
    ? failed('on.deployment', `the spec is not started any more when ${other} has ${state}`)
    : allOf([
        held('on.deployment.spec', `run ${run} of ${other} has deployed ${event.sha.slice(0, 7)}`),
        held('on.deployment.states', describeChain({ ...trigger, states: [state] })),
      ]);
}
