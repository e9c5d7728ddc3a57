import { Counter, Gauge, type Registry } from 'prom-client';
import type { BudgetUsage } from '../github/budget.ts';

/** A value of an account, and the window that it is of. */
type Value = [value: number, window?: 'minute' | 'hour'];

const GAUGES: [name: string, help: string, read: (usage: BudgetUsage) => Value[]][] = [
  [
    'mainsheet_github_writes_used',
    'Requests that created content on GitHub in the last minute and hour',
    ({ minute, hour }) => [
      [minute.used, 'minute'],
      [hour.used, 'hour'],
    ],
  ],
  [
    'mainsheet_github_writes_left',
    'Requests that may still create content on GitHub in this minute and hour',
    ({ minute, hour }) => [
      [Math.max(0, minute.limit - minute.used), 'minute'],
      [Math.max(0, hour.limit - hour.used), 'hour'],
    ],
  ],
  [
    'mainsheet_github_primary_remaining',
    "Requests left of GitHub's primary limit, as GitHub said last",
    ({ primaryRemaining }) => (primaryRemaining === undefined ? [] : [[primaryRemaining]]),
  ],
  [
    'mainsheet_github_paused_seconds',
    'For how long nothing is sent to GitHub, which asked for it or does not answer',
    ({ pausedMs }) => [[pausedMs / 1000]],
  ],
];

/** What is used and left of GitHub's limits. The label `account` is an owner that a spec names, or `token`. */
export function budgetMetrics(usage: () => BudgetUsage[], registers: Registry[]): void {
  for (const [name, help, read] of GAUGES) {
    // oxlint-disable-next-line no-new -- a gauge registers itself
    new Gauge<string>({
      name,
      help,
      labelNames: ['account', 'window'],
      registers,
      collect() {
        this.reset();
        for (const each of usage()) {
          for (const [value, window] of read(each)) {
            this.set({ account: each.account, ...(window && { window }) }, value);
          }
        }
      },
    });
  }
  // oxlint-disable-next-line no-new -- a counter registers itself
  new Counter({
    name: 'mainsheet_github_rate_limited_total',
    help: 'Answers of GitHub that were rate limits',
    labelNames: ['account'],
    registers,
    collect() {
      this.reset();
      for (const { account, rateLimited } of usage()) this.inc({ account }, rateLimited);
    },
  });
}
