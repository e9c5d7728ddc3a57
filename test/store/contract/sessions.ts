import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Session } from '../../../src/store/sessions.ts';
import type { WithStore } from '../contract.ts';

const session = (digest: string, more: Partial<Session> = {}): Session => ({
  digest,
  actor: 'alice',
  githubId: undefined,
  createdAt: 1000,
  renewedAt: 1000,
  seenAt: 1000,
  replacedAt: undefined,
  ...more,
});

export function sessionsContract(withStore: WithStore): void {
  test(
    'a session is found by its digest until it is removed, and its use is noted',
    withStore(async ({ sessions }) => {
      await sessions.add(session('a'));
      assert.deepEqual(await sessions.get('a'), session('a'));
      await sessions.add(session('b', { githubId: 2 ** 40 }));
      assert.equal((await sessions.get('b'))?.githubId, 2 ** 40);
      await sessions.see('a', 2000);
      assert.deepEqual(await sessions.get('a'), session('a', { seenAt: 2000 }));
      await sessions.remove('a');
      assert.equal(await sessions.get('a'), undefined);
    }),
  );

  test(
    "a state of GitHub's log-in is spent once, and forgotten when it is too old to be used",
    withStore(async ({ sessions }) => {
      const both = [sessions.spend('s', 2000, 1000), sessions.spend('s', 2000, 1000)];
      assert.deepEqual(new Set(await Promise.all(both)), new Set([false, true]));
      assert.equal(await sessions.spend('s', 2000, 1999), false);
      assert.equal(await sessions.spend('s', 3000, 2000), true);
    }),
  );

  test(
    'of two that replace a session one does',
    withStore(async ({ sessions }) => {
      await sessions.add(session('a'));
      const done = await Promise.all([sessions.replace('a', 2000), sessions.replace('a', 2000)]);
      assert.deepEqual(done.sort(), [false, true]);
      assert.equal((await sessions.get('a'))?.replacedAt, 2000);
    }),
  );

  test(
    'sessions are removed by whose they are, and by age',
    withStore(async ({ sessions }) => {
      await sessions.add(session('a'));
      await sessions.add(session('b'));
      await sessions.add(session('other', { actor: 'bob' }));
      await sessions.add(session('user', { githubId: 7 }));
      await sessions.add(session('renamed', { actor: 'then', githubId: 7 }));
      await sessions.addLink({ digest: 'link', actor: 'alice', expiresAt: 2000 });
      assert.equal((await sessions.all(['a', 'b', 'none'])).length, 2);
      await sessions.removeOf({ actor: 'alice', githubId: undefined });
      const left = async () =>
        (await sessions.all(['a', 'b', 'other', 'user', 'renamed']))
          .map(({ digest }) => digest)
          .toSorted();
      assert.deepEqual(await left(), ['other', 'renamed', 'user']);
      assert.equal(await sessions.takeLink('link', 1500), undefined);
      await sessions.removeOf({ actor: 'now', githubId: 7 });
      assert.deepEqual(await left(), ['other']);

      await sessions.add(session('old', { createdAt: 1 }));
      await sessions.add(session('idle', { seenAt: 2 }));
      await sessions.add(session('replaced', { replacedAt: 3 }));
      await sessions.removeOld({ created: 2, seen: 3, replaced: 4 });
      for (const gone of ['old', 'idle', 'replaced']) {
        assert.equal(await sessions.get(gone), undefined, gone);
      }
      assert.ok(await sessions.get('other'));
    }),
  );

  test(
    'of the sessions of a user of GitHub the newest are kept, and those of others',
    withStore(async ({ sessions }) => {
      const all = [
        session('first', { githubId: 1, createdAt: 1 }),
        session('second', { githubId: 1, createdAt: 2 }),
        session('third', { githubId: 1, createdAt: 3 }),
        session('token', { createdAt: 1 }),
        session('other', { actor: 'bob', githubId: 2, createdAt: 1 }),
      ];
      for (const one of all) await sessions.add(one);
      await sessions.keepNewest(1, 2);
      const found = await Promise.all(all.map(({ digest }) => sessions.get(digest)));
      assert.deepEqual(
        found.flatMap((one) => one?.digest ?? []),
        ['second', 'third', 'token', 'other'],
      );
    }),
  );

  test(
    'a link is taken once, and not when it is too old',
    withStore(async ({ sessions }) => {
      await sessions.addLink({ digest: 'a', actor: 'alice', expiresAt: 2000 });
      await sessions.addLink({ digest: 'late', actor: 'alice', expiresAt: 1000 });
      const taken = await Promise.all([sessions.takeLink('a', 1500), sessions.takeLink('a', 1500)]);
      assert.deepEqual(taken.sort(), ['alice', undefined]);
      assert.equal(await sessions.takeLink('late', 1500), undefined);
      assert.equal(await sessions.takeLink('unknown', 1500), undefined);
    }),
  );
}
