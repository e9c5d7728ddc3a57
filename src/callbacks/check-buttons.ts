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

const BUTTONS = {
  retry: { label: 'Retry', description: 'Deploy this commit again' },
  rollback: { label: 'Roll back', description: 'Deploy what was deployed before' },
  cancel: { label: 'Cancel', description: 'Stop this run' },
  approve: { label: 'Approve', description: 'Let this run start' },
  reject: { label: 'Reject', description: 'Cancel this run' },
} as const satisfies Record<Press, Omit<Button, 'identifier'>>;

/** What may be asked of a run as it is. `hasGate`: whether people have to approve it. */
export function buttonsFor(run: Pick<Run, 'state' | 'reason'>, hasGate: boolean): Button[] {
  return pressesFor(run, hasGate).map((identifier) => ({ ...BUTTONS[identifier], identifier }));
}

function pressesFor({ state, reason }: Pick<Run, 'state' | 'reason'>, hasGate: boolean): Press[] {
  // A pause holds it for another reason, and is not for people to approve.
  const waits = state === 'blocked' && hasGate && !reason.startsWith('Paused ');
  if (!hasEnded(state)) return waits ? ['approve', 'reject'] : ['cancel'];
  return state === 'succeeded' || state === 'failed' ? ['retry', 'rollback'] : ['retry'];
}
