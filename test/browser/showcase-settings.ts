import type { BudgetUsage } from '../../src/github/budget.ts';
import type { CheckUp } from '../../src/http/read/settings.ts';

export const SHOWCASE_SETTINGS = {
  HOST: '0.0.0.0',
  PORT: '3000',
  DATABASE_URL: 'postgres://mainsheet:hidden@db/mainsheet',
  GITHUB_APP_ID: '412207',
  GITHUB_APP_PRIVATE_KEY_FILE: '/run/secrets/app.pem',
  GITHUB_WEBHOOK_SECRET: 'hidden',
  MAINSHEET_DEPLOYMENTS: 'github:acme/deployments@main',
  MAINSHEET_PUBLIC_URL: 'https://mainsheet.acme.example',
  MAINSHEET_RETENTION: '90d',
  MAINSHEET_TRUSTED_PROXIES: '10.0.0.0/8',
};

export const SHOWCASE_BUDGET: BudgetUsage[] = [
  {
    account: 'acme',
    minute: { used: 3, limit: 80 },
    hour: { used: 41, limit: 500 },
    primaryRemaining: 4862,
    pausedMs: 0,
    rateLimited: 0,
  },
];

/** What was found four minutes ago. */
export function showcaseChecks(now: number): CheckUp {
  const ok = (subject: string, detail: string) => ({ subject, state: 'ok' as const, detail });
  const result = {
    at: now - 4 * 60_000,
    isWhole: true,
    checks: [
      ok('Node', '24.21.0'),
      ok('git', '2.53.0'),
      ok('shell', '/usr/bin/bash'),
      {
        subject: 'specs',
        state: 'fail' as const,
        detail: 'the hook grafana-alerts names the secret GRAFANA_TOKEN, which is not set',
        hint: 'set MAINSHEET_SECRET_GRAFANA_TOKEN, or put a file GRAFANA_TOKEN into MAINSHEET_SECRETS_DIR',
      },
      {
        subject: 'disk',
        state: 'warn' as const,
        detail: '812 MB free',
        hint: 'make room, or set MAINSHEET_DATA_DIR to a larger disk',
      },
      ok('store', 'PostgreSQL 17.2'),
      ok('GitHub', 'the App 412207 may write statuses, deployments and checks'),
      {
        subject: 'callbacks',
        state: 'warn' as const,
        detail: '1 was given up',
        hint: 'the page of callbacks says why, and sends it again',
      },
    ],
  };
  return { look: async () => result, last: () => result };
}
