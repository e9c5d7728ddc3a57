import { cleanLine } from '../lib/clean-text.ts';
import { cutText } from '../lib/cut-text.ts';
import { formatDuration } from '../lib/duration.ts';
import type { Run, RunState } from '../model/run.ts';
import type { RunChange } from './contract.ts';
import { MAX_DESCRIPTION } from './fields.ts';

/** Whether Mainsheet failed, and not a step. */
export function isOwnFault(run: Run): boolean {
  return run.state === 'failed' && run.fault === 'mainsheet';
}

/** Whether the run did nothing to a commit that was deployed before, which then stays true. */
export function alreadyDeployed({
  run,
  wasDeployed,
}: Pick<RunChange, 'run' | 'wasDeployed'>): boolean {
  const didNothing =
    run.state === 'superseded' || (run.state === 'cancelled' && run.startedAt === undefined);
  return didNothing && wasDeployed;
}

/** The run that says what is true of the commit, and whether that is deployed already. */
export function truthOf(change: Pick<RunChange, 'run' | 'wasDeployed' | 'other'>): {
  run: Run;
  isDeployed: boolean;
} {
  const { run, other } = change;
  return other === undefined
    ? { run, isDeployed: alreadyDeployed(change) }
    : { run: other, isDeployed: false };
}

/** One line of at most 140 characters: what happened, and why. `isDeployed`: the commit was deployed before. */
export function descriptionOf(run: Run, isDeployed = false): string {
  const line = isDeployed ? `Already deployed. ${lineOf(run)}` : lineOf(run);
  return cutText(line, MAX_DESCRIPTION);
}

function lineOf(run: Run): string {
  const label = labelOf(run);
  const reason = cleanLine(run.reason);
  const explained = run.state !== 'running' && run.state !== 'succeeded' && reason !== '';
  if (!explained) return label;
  // A reason such as "superseded by …" already says what the label would.
  const says = reason.toLowerCase().startsWith(label.toLowerCase());
  return says ? label + reason.slice(label.length) : `${label}: ${reason}`;
}

/** The run's page; undefined without a public URL. */
export function linkTo(run: string, publicUrl: string | undefined): string | undefined {
  return publicUrl === undefined ? undefined : `${publicUrl.replace(/\/+$/, '')}/runs/${run}`;
}

/** What happened, without why: `Deployed to production in 12s`. */
export function labelOf(run: Run): string {
  const isGoing = run.event === 'teardown';
  const labels: Record<RunState, string> = {
    queued: 'Queued',
    blocked: /^(?:Paused|Waiting)(?= )/.exec(run.reason)?.[0] ?? 'Blocked',
    running: isGoing ? `Taking down ${run.environment}` : `Deploying to ${run.environment}`,
    succeeded: `${isGoing ? 'Took down' : 'Deployed to'} ${run.environment}${tookOf(run, ' in ')}`,
    failed: isOwnFault(run) ? 'Mainsheet failed' : 'Failed',
    cancelled: 'Cancelled',
    superseded: 'Superseded',
  };
  return labels[run.state];
}

/** How long it took, behind `before`; empty where that is not known. */
export function tookOf(
  { startedAt, finishedAt }: Pick<Run, 'startedAt' | 'finishedAt'>,
  before: string,
): string {
  return startedAt === undefined || finishedAt === undefined
    ? ''
    : before + formatDuration(finishedAt - startedAt);
}
