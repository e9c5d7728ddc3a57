import { MainsheetError } from '../lib/errors.ts';

/** The command line or a variable is wrong: nothing was tried, and the exit code is 2. */
export class UsageError extends MainsheetError {
  override readonly name = 'UsageError';
}
