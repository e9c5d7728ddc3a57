import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from '../config.ts';
import type { CronJob } from '../controller/maintenance/cron-jobs.ts';
import { createWebhookAddresses } from '../github/webhook-addresses.ts';
import type { Clock } from '../lib/clock.ts';
import { errorCode } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import { createNetworks } from '../lib/networks.ts';
import type { Catalog } from '../spec/catalog.ts';
import { writePrivate } from './private-file.ts';

/** From where GitHub's requests may come. */
export interface GitHubAddresses {
  /** At GitHub's own route, as the setting says; undefined: from anywhere. */
  route: ((address: string) => boolean) | undefined;
  /** Whether GitHub says that it sends from an address. */
  isGitHub: (address: string) => boolean;
  job: CronJob;
}

/** GitHub is asked only while the setting or a hook needs its answer, which is kept in the data directory. */
export function createGitHubAddresses(deps: {
  config: Config;
  catalog: Catalog;
  fetch: typeof fetch;
  clock: Clock;
  logger: Logger;
}): GitHubAddresses {
  const { config, catalog } = deps;
  const { webhookAddresses, apiUrl } = config.github;
  const file = join(config.dataDir, 'github-addresses.json');
  const addresses = createWebhookAddresses({
    ...deps,
    apiUrl,
    async read() {
      try {
        return await readFile(file, 'utf8');
      } catch (error) {
        if (errorCode(error) === 'ENOENT') return undefined;
        throw error;
      }
    },
    keep: (text) => writePrivate(file, text),
  });
  const isGitHub = (address: string) => addresses.allows(address);
  const isNeeded = () =>
    webhookAddresses === 'github' ||
    catalog.hooks().some(({ hook }) => hook.addresses.includes('github'));
  return {
    route:
      webhookAddresses === undefined || webhookAddresses === 'github'
        ? webhookAddresses && isGitHub
        : createNetworks(webhookAddresses),
    isGitHub,
    job: {
      name: 'addresses of GitHub',
      cron: '* * * * *',
      atStart: true,
      act: async (signal) => {
        if (isNeeded()) await addresses.refresh(signal);
      },
    },
  };
}
