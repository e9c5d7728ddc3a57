import type { Check } from '../lib/check.ts';
import { describeError, hintOf } from '../lib/errors.ts';

export type { Check } from '../lib/check.ts';

/** What is to be said of one subject. */
export function about(subject: string) {
  const check =
    (state: Check['state']) =>
    (detail: string, hint?: string): Check => ({
      subject,
      state,
      detail,
      ...(hint === undefined ? {} : { hint }),
    });
  const fail = check('fail');
  return {
    ok: check('ok'),
    warn: check('warn'),
    fail,
    /** By an error of what was looked at. */
    failed: (error: unknown) => fail(describeError(error), hintOf(error)),
  };
}
