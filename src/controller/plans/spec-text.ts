import { codeSpan } from '../../lib/code-span.ts';
import type { DeploymentSpec, NotifySpec } from '../../model/deployment-spec.ts';
import { describeWaits } from '../../model/step-gate.ts';
import { FEEDBACK } from '../../spec/says.ts';
import { isNotify } from '../../spec/notify/index.ts';

/** Steps that are named; the rest is counted. */
const MOST_STEPS = 20;

/** What a run of a spec does, as lines of Markdown: no script, URL, value or secret. Pure. */
export function specLines(spec: DeploymentSpec): string[] {
  const named = spec.steps
    .slice(0, MOST_STEPS)
    .map(({ name, kind }) => `${codeSpan(name)} (${kind})`);
  const more = spec.steps.length - named.length;
  const told = [
    ...spec.feedback.map((kind) => FEEDBACK[kind]),
    ...spec.notify.map((entry) => `${whom(entry)} (${entry.on.join(', ')})`),
  ];
  return [
    `- Steps: ${[...named, ...(more === 0 ? [] : [`${more} more`])].join(', ')}`,
    ...describeWaits(spec).map((one) => `- Waits for: ${codeSpan(one)}`),
    `- Tells: ${told.length === 0 ? 'no one' : told.join(', ')}`,
  ];
}

/** The URLs of webhooks are for no one to read. */
function whom(entry: NotifySpec): string {
  return isNotify(entry, 'dispatch')
    ? `repository_dispatch to ${codeSpan(entry.repository)}`
    : entry.kind;
}
