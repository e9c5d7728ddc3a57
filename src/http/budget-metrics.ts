import { Counter, Gauge, type Registry } from 'prom-client';
import type { BudgetUsage } from '../github/budget.ts';

/** What is used and left of GitHub's limits. The label `account` is an owner that a spec names, or `token`. */
export function budgetMetrics(usage: () => BudgetUsage[], registers: Registry[]): void {
  const gauge = (
    name: string,
    help: string,
    labelNames: string[],
    read: (
      usage: BudgetUsage,
      set: (value: number, labels?: Record<string, string>) => void,
    ) => void,
  ) =>
    new Gauge<string>({
      name,
      help,
      labelNames: ['account', ...labelNames],
      registers,
      collect() {
        this.reset();
        for (const each of usage()) {
          read(each, (value, labels) => this.set({ account: each.account, ...labels }, value));
        }
      },
    });

  gauge(
    'mainsheet_github_writes_used',
    'Requests that created content on GitHub in the last minute and hour',
    ['window'],
    ({ minute, hour }, set) => {
      set(minute.used, { window: 'minute' });
      set(hour.used, { window: 'hour' });
    },
  );
  gauge(
    'mainsheet_github_writes_left',
    'Requests that may still create content on GitHub in this minute and hour',
    ['window'],
    ({ minute, hour }, set) => {
      set(Math.max(0, minute.limit - minute.used), { window: 'minute' });
      set(Math.max(0, hour.limit - hour.used), { window: 'hour' });
    },
  );
  gauge(
    'mainsheet_github_primary_remaining',
    "Requests left of GitHub's primary limit, as GitHub said last",
    [],
    ({ primaryRemaining }, set) => {
      if (primaryRemaining !== undefined) set(primaryRemaining);
    },
  );
  gauge(
    'mainsheet_github_paused_seconds',
    'For how long nothing is sent to GitHub, which asked for it or does not answer',
    [],
    ({ pausedMs }, set) => set(pausedMs / 1000),
  );
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
