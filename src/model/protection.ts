import type { Run } from './run.ts';

/** GitHub's name of the event, which is that of its runs, too. */
export const PROTECTION = 'deployment_protection_rule';

/** GitHub ends a job that waits for longer, in milliseconds: https://docs.github.com/en/actions/reference/limits */
export const LONGEST_WAIT_MS = 30 * 24 * 3_600_000;

/**
 * Whether a run stands for a job of GitHub Actions that waits at its environment. It has no steps and deploys nothing: when its gates
 * open, GitHub lets the job go on.
 */
export function isProtection({ event }: Pick<Run, 'event'>): boolean {
  return event === PROTECTION;
}

/** The lane of what one workflow run asks for one environment, whose names have no case on GitHub. */
export function protectionLane(workflowRun: number, environment: string): string {
  return `actions/${workflowRun}/${environment.toLowerCase()}`;
}

/** GitHub's number of the workflow run that waits in a lane. */
export function workflowRunOf(lane: string): number {
  return Number(/^actions\/(\d{1,16})\//.exec(lane)?.[1]);
}
