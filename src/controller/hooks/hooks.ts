import type { Clock } from '../../lib/clock.ts';
import { createNetworks } from '../../lib/networks.ts';
import type { DynamicHook, Hook } from '../../model/hook.ts';
import type { Verify } from '../../sources/contract.ts';
import { SOURCES } from '../../sources/index.ts';
import type { Catalog } from '../../spec/catalog.ts';
import type { DynamicHooks } from '../../store/hooks.ts';
import type { DynamicSecrets } from './dynamic-secrets.ts';
import { oncePer } from '../../lib/once-per.ts';

/** A hook that requests can be sent to. */
export interface OpenHook {
  hook: Hook;
  /** Set for one that was made through the API. */
  dynamic: DynamicHook | undefined;
  /** Secrets are read as they are now. */
  verify: Verify;
  /** Names of secrets that count at a time, in milliseconds since the epoch, and have no value. */
  withoutValue(now: number): string[];
  allows(address: string): boolean;
}

export interface Hooks {
  /** The hook at an id, if there is one that has not expired. */
  find(id: string): Promise<OpenHook | undefined>;
  /** Whether specs have been read: before that it is not known which hooks there are. */
  areRead(): boolean;
}

export function createHooks(deps: {
  catalog: Pick<Catalog, 'hook' | 'current'>;
  store: DynamicHooks;
  secrets: DynamicSecrets | undefined;
  /** The value of a configured secret, by its name. */
  secret: (name: string) => string | undefined;
  /** Whether GitHub says that it sends from an address; default no. */
  isGitHub?: (address: string) => boolean;
  clock: Pick<Clock, 'now'>;
}): Hooks {
  const { catalog } = deps;
  // Of each hook as it was read they are made once, not for each request.
  const networksOf = oncePer(({ addresses }: Hook) => createNetworks(addresses));
  const verifiers = new WeakMap<Hook, { secrets: readonly string[]; verify: Verify }>();

  function configured(hook: Hook, now: number): Verify {
    const secrets = namesOf(hook, now).flatMap((name) => deps.secret(name) ?? []);
    const known = verifiers.get(hook);
    if (known !== undefined && isSame(known.secrets, secrets)) return known.verify;
    const verify = verifierOf(hook, secrets);
    verifiers.set(hook, { secrets, verify });
    return verify;
  }

  function open(hook: Hook, dynamic: DynamicHook | undefined): OpenHook {
    const { addresses } = hook;
    const isListed = networksOf(hook);
    const isGitHub = addresses.includes('github') ? deps.isGitHub : undefined;
    return {
      hook,
      dynamic,
      verify(request, now) {
        const verifier =
          dynamic === undefined
            ? configured(hook, now)
            : verifierOf(hook, deps.secrets?.current(hook, dynamic, now) ?? []);
        return verifier(request, now);
      },
      withoutValue: (now) =>
        dynamic === undefined
          ? namesOf(hook, now).filter((name) => deps.secret(name) === undefined)
          : [],
      allows: (address) =>
        addresses.length === 0 || isListed(address) || isGitHub?.(address) === true,
    };
  }

  return {
    async find(id) {
      const named = catalog.hook(id)?.hook;
      if (named !== undefined) return open(named, undefined);
      if (!/^[0-9a-f]{32}$/.test(id)) return undefined;
      const dynamic = await deps.store.get(id);
      if (dynamic === undefined || dynamic.expiresAt <= deps.clock.now()) return undefined;
      const hook = catalog.hook(dynamic.hook)?.hook;
      const isOwn = hook === undefined || hook.server !== undefined || hook.people !== undefined;
      return isOwn ? undefined : open(hook, dynamic);
    },
    areRead: () => catalog.current().loadedAt > 0,
  };
}

/** The secrets of the file that count now. */
function namesOf({ secrets }: Hook, now: number): string[] {
  return secrets
    .filter(({ from = -Infinity, until = Infinity }) => from <= now && now < until)
    .map(({ name }) => name);
}

function verifierOf({ sender, options }: Hook, secrets: readonly string[]): Verify {
  return SOURCES[sender].verifier(secrets, options);
}

function isSame(some: readonly string[], others: readonly string[]): boolean {
  return some.length === others.length && some.every((one, index) => one === others[index]);
}
