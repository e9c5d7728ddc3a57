import { createDynamicSecrets } from '../controller/hooks/dynamic-secrets.ts';
import { createHooks, type Hooks } from '../controller/hooks/hooks.ts';
import { createHookRegistry, type HookRegistry } from '../controller/hooks/registry.ts';
import type { Config } from '../config.ts';
import type { Clock } from '../lib/clock.ts';
import type { Catalog } from '../spec/catalog.ts';
import type { Store } from '../store/index.ts';
import { hooksKey } from './kept-keys.ts';

/** Hooks in files and those that are made through the API, whose secrets follow from a key that all replicas have. */
export async function openHooks(deps: {
  config: Config;
  store: Store;
  catalog: Catalog;
  secret: (name: string) => string | undefined;
  isGitHub: (address: string) => boolean;
  clock: Clock;
}): Promise<{ hooks: Hooks; hookRegistry: HookRegistry }> {
  const { config, store, catalog, secret, isGitHub, clock } = deps;
  const { sessionKeys, databaseUrl, dataDir } = config;
  const ownKeys = databaseUrl === undefined ? [await hooksKey(dataDir)] : [];
  const keys = [...sessionKeys, ...ownKeys];
  const secrets = keys.length === 0 ? undefined : createDynamicSecrets(keys);
  return {
    hooks: createHooks({ catalog, store: store.hooks, secrets, secret, isGitHub, clock }),
    hookRegistry: createHookRegistry({ store, catalog, secrets, clock }),
  };
}
