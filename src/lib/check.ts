/** One thing that `doctor` looked at. `warn`: it works, but not as well as it could. */
export interface Check {
  subject: string;
  state: 'ok' | 'warn' | 'fail';
  detail: string;
  /** What to do about it. */
  hint?: string;
}
