import { cleanLine } from '../../lib/clean-text.ts';
import { TerminalError } from '../../lib/errors.ts';

/** In UTF-16 units. */
export const LONGEST_REASON = 200;

/** Why something was asked for, as one line for people. Throws TerminalError `reason-too-long`. */
export function readReason(given: string): string {
  const reason = cleanLine(given);
  if (reason.length <= LONGEST_REASON) return reason;
  throw new TerminalError(
    'reason-too-long',
    `the reason has ${reason.length} characters; it may have ${LONGEST_REASON}`,
  );
}
