import { describeSettings } from '../config/summary.ts';
import type { Config } from '../config.ts';
import { formatDuration } from '../lib/duration.ts';
import type { Settings } from '../http/read/settings.ts';

const DAY_MS = 86_400_000;

/** What the page of settings shows of the configuration: nothing that is secret. */
export function settingsOf(deps: {
  config: Config;
  environment: Record<string, string | undefined>;
  version: string;
  secret: (name: string) => string | undefined;
}): Settings {
  const { config, environment, version, secret } = deps;
  const { retention, github, stepUser, deployments } = config;
  const days = retention.ageMs / DAY_MS;
  const facts = {
    Version: version,
    Node: process.versions.node,
    Store: config.databaseUrl === undefined ? 'SQLite' : 'PostgreSQL',
    'Data directory': config.dataDir,
    Specs: deployments.kind === 'github' ? `in ${deployments.repository}` : deployments.path,
    Address: config.publicUrl ?? 'not set: nothing links here',
    GitHub: {
      app: `App ${github.auth?.kind === 'app' ? github.auth.appId : ''}`,
      token: 'a token',
      none: 'no credentials: nothing is reported',
    }[github.auth?.kind ?? 'none'],
    'API of GitHub': github.apiUrl,
    'Webhook secrets': String(config.webhookSecrets.length),
    'Runs at once': String(config.concurrency),
    'Steps run as': stepUser === undefined ? 'the user of Mainsheet' : 'a user of their own',
    Kept:
      retention.ageMs === 0
        ? 'for ever'
        : `${Number.isInteger(days) ? `${days} days` : formatDuration(retention.ageMs)}, ${retention.runs.toLocaleString('en')} runs and ${retention.deliveries.toLocaleString('en')} deliveries at most`,
    'E-mail': config.smtp?.address ?? 'none',
    Traces: config.traces === undefined ? 'none' : 'sent',
  };
  return {
    facts: Object.entries(facts).map(([name, value]) => ({ name, value })),
    variables: describeSettings(environment),
    servers: [...config.servers.values()].map(({ name, type, url, token }) => ({
      name,
      type,
      url,
      hasToken: token !== undefined,
    })),
    hasSecret: (name) => secret(name) !== undefined,
  };
}
