import { hkdfSync } from 'node:crypto';
import type { DynamicHook, Hook } from '../../model/hook.ts';
import type { Source } from '../../sources/contract.ts';
import { SOURCES } from '../../sources/index.ts';

const SECRET_BYTES = 32;

/** The secrets of hooks that were made through the API. None is stored: each follows from a key, the hook and the secret's id. */
export interface DynamicSecrets {
  /** In the form that the sender takes. */
  make(hook: Hook, id: string, secret: string): string;
  /** All that count now, under any of the keys. */
  current(hook: Hook, dynamic: DynamicHook, now: number): string[];
}

/** `keys`: the first makes secrets, all open them. */
export function createDynamicSecrets(keys: readonly (string | Buffer)[]): DynamicSecrets {
  function derive(key: string | Buffer, hook: Hook, id: string, secret: string): string {
    const bytes = Buffer.from(
      hkdfSync('sha256', key, '', `mainsheet hook ${id} ${secret}`, SECRET_BYTES),
    );
    const { secretFrom }: Source = SOURCES[hook.sender];
    return secretFrom?.(bytes) ?? bytes.toString('base64url');
  }

  return {
    make: (hook, id, secret) => derive(keys[0] ?? '', hook, id, secret),
    current: (hook, { id, secrets }, now) =>
      secrets
        .filter(({ until }) => until === null || now < until)
        .flatMap((secret) => keys.map((key) => derive(key, hook, id, secret.id))),
  };
}
