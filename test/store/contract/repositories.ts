import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NO_COMMIT } from '../../../src/model/push-history.ts';
import type { WithStore } from '../contract.ts';

const SHA = 'a'.repeat(40);

export function repositoriesContract(withStore: WithStore): void {
  test(
    'names are answered from memory only while they are what they were, and where other processes write only for deliveries of one moment',
    withStore(async ({ repositories, engine }) => {
      const kept = (names: string[]) => (engine === 'sqlite' ? names : undefined);
      assert.equal(repositories.namesKept(7, 'Acme/Shop'), undefined);
      assert.deepEqual(await repositories.namesSeen(7, 'Acme/Shop', 1), ['Acme/Shop']);
      assert.deepEqual(repositories.namesKept(7, 'Acme/Shop'), kept(['Acme/Shop']));
      assert.equal(repositories.namesKept(8, 'Acme/Shop'), undefined);
      // A delivery, then GitHub's own answer, brings another name.
      assert.deepEqual(await repositories.namesSeen(7, 'acme/store', 2), [
        'acme/store',
        'Acme/Shop',
      ]);
      assert.equal(repositories.namesKept(7, 'Acme/Shop'), undefined);
      assert.deepEqual(repositories.namesKept(7, 'acme/store'), kept(['acme/store', 'Acme/Shop']));
      await repositories.see(7, 'acme/market', 3, true);
      assert.equal(repositories.namesKept(7, 'acme/store'), undefined);

      const moment = repositories.atOneMoment();
      await moment.namesSeen(7, 'acme/market', 4);
      assert.equal(moment.namesKept(7, 'acme/market')?.[0], 'acme/market');
    }),
  );

  test(
    'a repository is known by all names that it had, the one that it has now first, until another one takes a name',
    withStore(async ({ repositories }) => {
      assert.deepEqual(await repositories.namesOf('acme/shop'), ['acme/shop']);
      await repositories.see(7, 'acme/shop', 1);
      await repositories.see(7, 'Acme/Store', 2);
      assert.equal(await repositories.idOf('ACME/Shop'), 7);
      for (const name of ['acme/shop', 'acme/store']) {
        assert.deepEqual(await repositories.namesOf(name), ['Acme/Store', 'acme/shop']);
      }
      // A delivery that comes late says nothing of today, GitHub itself does.
      await repositories.see(7, 'acme/shop', 3);
      assert.equal((await repositories.namesOf('acme/shop'))[0], 'Acme/Store');
      await repositories.see(7, 'acme/shop', 3, true);
      assert.equal((await repositories.namesOf('acme/store'))[0], 'acme/shop');

      await repositories.see(9, 'acme/store', 4);
      assert.deepEqual(await repositories.namesOf('acme/store'), ['acme/store']);
      assert.deepEqual(await repositories.namesOf('acme/shop'), ['acme/shop']);
    }),
  );

  test(
    'what is known of branches goes on under the new name',
    withStore(async ({ repositories, branchHeads, pushes }) => {
      const ref = 'refs/heads/main';
      await repositories.see(7, 'acme/shop', 1);
      await branchHeads.see('acme/shop', ref, { sha: SHA, pushSeq: 0, seenAt: 1 });
      const push = { repository: 'acme/shop', ref, before: NO_COMMIT, after: SHA };
      await pushes.record({ ...push, delivery: 'd1', found: false, toldBy: undefined, seenAt: 1 });
      await repositories.see(7, 'acme/store', 2);
      assert.equal((await branchHeads.of('acme/store')).get(ref), SHA);
      const { pushes: told } = await pushes.history('acme/store', ref);
      assert.deepEqual(
        told.map(({ delivery }) => delivery),
        ['d1'],
      );
    }),
  );

  test(
    'a push that is told late under a former name belongs to what is known under the name of now',
    withStore(async ({ repositories, pushes }) => {
      const told = { ref: 'refs/heads/main', before: NO_COMMIT, after: SHA, seenAt: 1 };
      await repositories.see(7, 'acme/shop', 1);
      await repositories.see(7, 'acme/store', 2);
      const found = { ...told, delivery: 'found', found: true, toldBy: undefined };
      await pushes.record({ ...found, repository: 'acme/store' });
      const late = { ...told, delivery: 'late', found: false, toldBy: 'found' };
      await pushes.record({ ...late, repository: 'Acme/Shop' });
      for (const name of ['acme/shop', 'acme/store']) {
        const { pushes: known } = await pushes.history(name, told.ref);
        assert.deepEqual(
          known.map(({ delivery }) => delivery),
          ['found', 'late'],
        );
      }
    }),
  );
}
