import { createNetworks } from '../../lib/networks.ts';
import type { Hook } from '../../model/hook.ts';
import type { Verify } from '../../sources/contract.ts';
import { SOURCES } from '../../sources/index.ts';
import type { Catalog } from '../../spec/catalog.ts';

/** A hook that requests can be sent to. */
export interface OpenHook {
  hook: Hook;
  /** Made for each request: secrets are read as they are now. */
  verify: Verify;
  allows(address: string): boolean;
}

export interface Hooks {
  /** The hook at an id, if there is one. */
  find(id: string): Promise<OpenHook | undefined>;
}

export function createHooks(deps: {
  catalog: Pick<Catalog, 'hook'>;
  /** The value of a secret, by its name. */
  secret: (name: string) => string | undefined;
}): Hooks {
  function verifier(hook: Hook): Verify {
    return (request, now) => {
      const current = hook.secrets.filter(
        ({ from = -Infinity, until = Infinity }) => from <= now && now < until,
      );
      const values = current.flatMap(({ name }) => deps.secret(name) ?? []);
      return SOURCES[hook.sender].verifier(values, hook.options)(request, now);
    };
  }

  return {
    async find(id) {
      const hook = deps.catalog.hook(id)?.hook;
      if (hook === undefined) return undefined;
      const isAllowed = createNetworks(hook.addresses);
      return {
        hook,
        verify: verifier(hook),
        allows: (address) => hook.addresses.length === 0 || isAllowed(address),
      };
    },
  };
}
