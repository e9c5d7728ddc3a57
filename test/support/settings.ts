import { describeSettings } from '../../src/config/summary.ts';
import type { CheckUp, Settings } from '../../src/http/read/settings.ts';

const FACTS = {
  Version: '1.2.3',
  Node: '24.21.0',
  Store: 'PostgreSQL',
  Specs: 'in acme/deployments',
  GitHub: 'App 412207',
  'Runs at once': '4',
  Kept: '90 days, 10,000 runs and 100,000 deliveries at most',
};

/** What the server is given of its settings. */
export function settingsOf(
  now: number,
  {
    environment = {},
    secrets = {},
  }: {
    environment?: Record<string, string> | undefined;
    secrets?: Record<string, string> | undefined;
  } = {},
): { settings: Settings; checkUp: CheckUp } {
  const nothingFound = { at: now, checks: [], isWhole: true };
  return {
    settings: {
      facts: Object.entries(FACTS).map(([name, value]) => ({ name, value })),
      variables: describeSettings(environment),
      servers: [],
      hasSecret: (name) => secrets[name] !== undefined,
    },
    checkUp: { look: async () => nothingFound, last: () => undefined },
  };
}
