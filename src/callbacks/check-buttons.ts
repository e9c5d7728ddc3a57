import type { DeploymentSpec } from '../model/deployment-spec.ts';
import type { Press } from '../model/event.ts';
import { hasEnded, type Run } from '../model/run.ts';

/** A button of a check run: https://docs.github.com/en/rest/checks/runs#create-a-check-run (`actions`, at most three). */
export interface Button {
  /** At most 20 characters, as the identifier. */
  label: string;
  /** At most 40 characters. */
  description: string;
  identifier: Press;
}

export const BUTTONS = {
  retry: { label: 'Retry', description: 'Deploy this commit again' },
  rollback: { label: 'Roll back', description: 'Deploy what was deployed before' },
  cancel: { label: 'Cancel', description: 'Stop this run' },
  approve: { label: 'Approve', description: 'Let this run start' },
  reject: { label: 'Reject', description: 'Cancel this run' },
} as const satisfies Record<Press, Omit<Button, 'identifier'>>;

/** What may be asked of a run as it is. `isGated`: whether people have to approve it. `back`: the revision that a rollback deploys. */
export function buttonsFor(
  run: Pick<Run, 'state' | 'reason'>,
  isGated: boolean,
  back: string | undefined,
): Button[] {
  return pressesFor(run, isGated).map((identifier) => ({
    ...BUTTONS[identifier],
    description: whatItDoes(identifier, back),
    identifier,
  }));
}

/** At most 40 characters. `back`: the revision that a rollback deploys, as far as there is one. */
export function whatItDoes(press: Press, back: string | undefined): string {
  if (press !== 'rollback' || back === undefined) return BUTTONS[press].description;
  return `Deploy ${back.slice(0, 7)}, which was there before`;
}

/** The revision that a rollback from a run deploys, where it may be asked for. */
export async function goesBackTo(
  run: Run,
  { runs }: { runs: { standingBefore(run: Run): Promise<Run[]> } },
): Promise<string | undefined> {
  if (!pressesFor(run, false).includes('rollback')) return undefined;
  return (await runs.standingBefore(run))[0]?.sha;
}

/** Whether people have to approve a run. What waits after it has begun waits for people. */
export function hasGate(
  { startedAt }: Pick<Run, 'startedAt'>,
  { gates }: Pick<DeploymentSpec, 'gates'>,
): boolean {
  return startedAt !== undefined || gates.some(({ kind }) => kind === 'approve');
}

/** The buttons that a run has, on its check run as in a chat. */
export function pressesFor(
  { state, reason }: Pick<Run, 'state' | 'reason'>,
  isGated: boolean,
): Press[] {
  // A pause holds it for another reason, and is not for people to approve.
  const waits = state === 'blocked' && isGated && !reason.startsWith('Paused ');
  if (!hasEnded(state)) return waits ? ['approve', 'reject'] : ['cancel'];
  return state === 'succeeded' || state === 'failed' ? ['retry', 'rollback'] : ['retry'];
}
