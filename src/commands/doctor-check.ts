import { describeError, hintOf } from '../lib/errors.ts';

/** One thing that `doctor` looked at. `warn`: it works, but not as well as it could. */
export interface Check {
  subject: string;
  state: 'ok' | 'warn' | 'fail';
  detail: string;
  /** What to do about it. */
  hint?: string;
}

/** The check that an error makes of what was looked at. */
export function failedCheck(subject: string, error: unknown): Check {
  const hint = hintOf(error);
  const detail = describeError(error);
  return { subject, state: 'fail', detail, ...(hint === undefined ? {} : { hint }) };
}
