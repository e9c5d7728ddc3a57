import { cutText } from '../lib/cut-text.ts';
import { formatDuration } from '../lib/duration.ts';
import type { Run, RunState } from '../model/run.ts';
import { MAX_DESCRIPTION } from './fields.ts';

/** Whether Mainsheet failed, and not a step. */
export function isOwnFault(run: Run): boolean {
  return run.state === 'failed' && run.fault === 'mainsheet';
}

/** One line of at most 140 characters: what happened, and why. */
export function descriptionOf(run: Run): string {
  const label = labelOf(run);
  const reason = run.reason.replaceAll(/[\s\p{Cc}]+/gu, ' ').trim();
  const explained = run.state !== 'running' && run.state !== 'succeeded' && reason !== '';
  if (!explained) return cutText(label, MAX_DESCRIPTION);
  // A reason such as "superseded by …" already says what the label would.
  const says = reason.toLowerCase().startsWith(label.toLowerCase());
  const line = says ? label + reason.slice(label.length) : `${label}: ${reason}`;
  return cutText(line, MAX_DESCRIPTION);
}

/** The run's page; undefined without a public URL. */
export function linkTo(run: string, publicUrl: string | undefined): string | undefined {
  return publicUrl === undefined ? undefined : `${publicUrl.replace(/\/+$/, '')}/runs/${run}`;
}

function labelOf(run: Run): string {
  const labels: Record<RunState, string> = {
    queued: 'Queued',
    blocked: /^(?:Paused|Waiting)(?= )/.exec(run.reason)?.[0] ?? 'Blocked',
    running: `Deploying to ${run.environment}`,
    succeeded: `Deployed to ${run.environment}${duration(run)}`,
    failed: isOwnFault(run) ? 'Mainsheet failed' : 'Failed',
    cancelled: 'Cancelled',
    superseded: 'Superseded',
  };
  return labels[run.state];
}

function duration({ startedAt, finishedAt }: Run): string {
  return startedAt === undefined || finishedAt === undefined
    ? ''
    : ` in ${formatDuration(finishedAt - startedAt)}`;
}
