import type { Check } from '../lib/check.ts';
import { describeError, hintOf } from '../lib/errors.ts';

export type { Check } from '../lib/check.ts';

/** The check that an error makes of what was looked at. */
export function failedCheck(subject: string, error: unknown): Check {
  const hint = hintOf(error);
  const detail = describeError(error);
  return { subject, state: 'fail', detail, ...(hint === undefined ? {} : { hint }) };
}
