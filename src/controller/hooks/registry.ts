import { randomBytes } from 'node:crypto';
import { isoTime, type Clock } from '../../lib/clock.ts';
import { TerminalError } from '../../lib/errors.ts';
import type { Json } from '../../model/event.ts';
import type { DynamicHook, Hook } from '../../model/hook.ts';
import type { Catalog } from '../../spec/catalog.ts';
import type { Store } from '../../store/index.ts';
import type { DynamicSecrets } from './dynamic-secrets.ts';

/** Guessing a hook's id is as hard as guessing a key: https://www.w3.org/TR/capability-urls/ */
const ID_BYTES = 16;
/** Expired hooks that go with each one that is made, so that they never pile up. */
const MOST_REMOVED = 100;

export interface NewHook {
  /** The configured hook of which it takes everything else. */
  hook: string;
  owner: string;
  /** The only specs that it may start; empty: all that name the hook. */
  specs: readonly string[];
  /** These inputs are what they are here, whatever a request says. */
  inputs: { [name: string]: Json };
  /** Milliseconds that it lasts. */
  lastsMs: number;
}

/** Makes and removes hooks while Mainsheet runs: one for a tenant, a session, a transaction. */
export interface HookRegistry {
  /** Throws TerminalError `hook-unknown`, `hook-unsuitable`, `input-unknown`, `spec-unknown`, `hook-key-missing`. The secret is never told again. */
  create(request: NewHook, actor: string): Promise<{ hook: DynamicHook; secret: string }>;
  /** A new secret; those before it count for `overlapMs` more. Throws as `create`. */
  rotate(
    id: string,
    overlapMs: number,
    actor: string,
  ): Promise<{ hook: DynamicHook; secret: string }>;
  /** Throws TerminalError `hook-unknown`. */
  remove(id: string, actor: string): Promise<void>;
}

export function createHookRegistry(deps: {
  store: Store;
  catalog: Pick<Catalog, 'hook' | 'forHook'>;
  /** Undefined where replicas would have no key in common. */
  secrets: DynamicSecrets | undefined;
  clock: Clock;
}): HookRegistry {
  const { store, catalog, clock } = deps;

  function known(id: string): Hook {
    const found = catalog.hook(id);
    if (found !== undefined) return found.hook;
    throw new TerminalError('hook-unknown', `no file of specs has a hook ${id}`, {
      hint: '"mainsheet hooks list" lists them',
    });
  }

  function maker(): DynamicSecrets {
    if (deps.secrets !== undefined) return deps.secrets;
    const reason = 'replicas have no key in common to make secrets with';
    const hint = 'set MAINSHEET_SESSION_KEY to the same for all of them';
    throw new TerminalError('hook-key-missing', reason, { hint });
  }

  const newSecret = () => ({
    id: randomBytes(8).toString('hex'),
    createdAt: clock.now(),
    until: null,
  });

  return {
    async create({ hook: name, owner, specs, inputs, lastsMs }, actor) {
      const hook = known(name);
      const unsuitable = whyUnsuitable(hook);
      if (unsuitable !== undefined) {
        const reason = `the hook ${name} ${unsuitable}`;
        throw new TerminalError('hook-unsuitable', reason, { hint: 'make one of another hook' });
      }
      const secrets = maker();
      const startable = catalog.forHook(name).map(({ spec }) => spec.name);
      const wrongSpec = specs.find((one) => !startable.includes(one));
      if (wrongSpec !== undefined) {
        const reason = `no spec ${wrongSpec} is started by the hook ${name}`;
        const hint = `it starts ${startable.join(', ') || 'none'}`;
        throw new TerminalError('spec-unknown', reason, { hint });
      }
      const wrongInput = Object.keys(inputs).find((one) => !Object.hasOwn(hook.extract, one));
      if (wrongInput !== undefined) {
        throw new TerminalError('input-unknown', `the hook ${name} has no input ${wrongInput}`, {
          hint: `it has ${Object.keys(hook.extract).join(', ') || 'none'}`,
        });
      }
      const now = clock.now();
      const secret = newSecret();
      const made: DynamicHook = {
        id: randomBytes(ID_BYTES).toString('hex'),
        hook: name,
        owner,
        specs: [...specs],
        inputs,
        secrets: [secret],
        createdAt: now,
        createdBy: actor,
        expiresAt: now + lastsMs,
      };
      await store.atomically(async (tables) => {
        await tables.hooks.removeExpired(now, MOST_REMOVED);
        await tables.hooks.add(made);
        const detail = `of ${name} for ${owner}, until ${isoTime(made.expiresAt)}`;
        const entry = { action: 'hook.create', subject: made.id, detail };
        await tables.audit.record({ at: now, actor, ...entry });
      });
      return { hook: made, secret: secrets.make(hook, made.id, secret.id) };
    },

    async rotate(id, overlapMs, actor) {
      const now = clock.now();
      const secret = newSecret();
      const makes = maker();
      const found = await store.atomically(async (tables) => {
        const dynamic = await tables.hooks.get(id);
        if (dynamic === undefined) throw gone(id);
        const before = dynamic.secrets
          .filter(({ until }) => until === null || until > now)
          .map((one) => ({ ...one, until: Math.min(one.until ?? Infinity, now + overlapMs) }));
        const secrets = [...before.slice(-9), secret];
        await tables.hooks.setSecrets(id, secrets);
        const detail = `the secrets before count until ${isoTime(now + overlapMs)}`;
        await tables.audit.record({ at: now, actor, action: 'hook.rotate', subject: id, detail });
        return { ...dynamic, secrets };
      });
      return { hook: found, secret: makes.make(known(found.hook), id, secret.id) };
    },

    async remove(id, actor) {
      const now = clock.now();
      await store.atomically(async (tables) => {
        if (!(await tables.hooks.remove(id))) throw gone(id);
        const entry = { action: 'hook.delete', subject: id, detail: '' };
        await tables.audit.record({ at: now, actor, ...entry });
      });
    },
  };
}

/** A hook that starts nothing by its own. */
function whyUnsuitable({ server, people }: Hook): string | undefined {
  if (server !== undefined) {
    return `is that of the server ${server}, which starts what any spec says`;
  }
  return people && 'hears of buttons, in the name of the people in its file';
}

function gone(id: string): TerminalError {
  return new TerminalError('hook-unknown', `there is no hook ${id} that was made through the API`);
}
