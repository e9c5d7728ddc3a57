import { createDynamicSecrets } from '../../src/controller/hooks/dynamic-secrets.ts';
import { createHooks } from '../../src/controller/hooks/hooks.ts';
import { createHookRegistry } from '../../src/controller/hooks/registry.ts';
import type { Clock } from '../../src/lib/clock.ts';
import type { Catalog } from '../../src/spec/catalog.ts';
import type { Store } from '../../src/store/index.ts';

/** What the server is given of hooks. */
export function hooksOf(
  store: Store,
  catalog: Catalog,
  clock: Clock,
  {
    values = {},
    isGitHub = () => false,
  }: {
    values?: Record<string, string> | undefined;
    isGitHub?: ((address: string) => boolean) | undefined;
  } = {},
) {
  const secrets = createDynamicSecrets(['a key that makes secrets']);
  const secret = (name: string) => values[name];
  return {
    hooks: createHooks({ catalog, store: store.hooks, secrets, secret, isGitHub, clock }),
    hookRegistry: createHookRegistry({ store, catalog, secrets, clock }),
  };
}
