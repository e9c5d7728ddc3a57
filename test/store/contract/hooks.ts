import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DynamicHook } from '../../../src/model/hook.ts';
import type { WithStore } from '../contract.ts';

const hook = (id: string, more: Partial<DynamicHook> = {}): DynamicHook => ({
  id,
  hook: 'tenant',
  owner: 'acme',
  specs: ['shop'],
  inputs: { tenant: 'acme', count: 1 },
  secrets: [{ id: 's1', createdAt: 1000, until: null }],
  createdAt: 1000,
  createdBy: 'admin',
  expiresAt: 5000,
  ...more,
});

export function hooksContract(withStore: WithStore): void {
  test(
    'a hook is found by its id with all that it was made with, until it is removed',
    withStore(async ({ hooks }) => {
      await hooks.add(hook('a'));
      assert.deepEqual(await hooks.get('a'), hook('a'));
      assert.equal(await hooks.get('b'), undefined);
      const secrets = [{ id: 's2', createdAt: 2000, until: 3000 }];
      assert.equal(await hooks.setSecrets('a', secrets), true);
      assert.deepEqual(await hooks.get('a'), hook('a', { secrets }));
      assert.deepEqual([await hooks.remove('a'), await hooks.remove('a')], [true, false]);
    }),
  );

  test(
    'hooks are listed newest first, page by page, of one owner too',
    withStore(async ({ hooks }) => {
      for (const id of ['a', 'b', 'c']) {
        await hooks.add(hook(id, { owner: id === 'b' ? 'other' : 'acme' }));
      }
      const first = await hooks.list({ limit: 2, before: undefined });
      assert.deepEqual(
        first.items.map(({ id }) => id),
        ['c', 'b'],
      );
      assert.ok(first.next);
      const acme = await hooks.list({ limit: 9, before: undefined }, 'acme');
      assert.deepEqual(
        acme.items.map(({ id }) => id),
        ['c', 'a'],
      );
    }),
  );

  test(
    'those that have expired go, the oldest first, and no others',
    withStore(async ({ hooks }) => {
      for (const [id, expiresAt] of [
        ['a', 3000],
        ['b', 1000],
        ['c', 2000],
      ] as const) {
        await hooks.add(hook(id, { expiresAt }));
      }
      assert.equal(await hooks.removeExpired(2500, 1), 1);
      assert.equal(await hooks.get('b'), undefined);
      assert.equal(await hooks.removeExpired(2500, 9), 1);
      assert.ok(await hooks.get('a'));
    }),
  );
}
