import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { StatusCallback } from '../../../src/callbacks/status.ts';
import type { Store } from '../../../src/store/index.ts';
import type { OutboxEntry, OutboxState } from '../../../src/store/outbox.ts';
import type { WithStore } from '../contract.ts';
import { sampleRun, sampleStatus } from '../samples.ts';
import { walkPages } from './walk-pages.ts';

export function outboxContract(withStore: WithStore): void {
  describe('the outbox', () => {
    test(
      'keeps a callback as it was put in',
      withStore(async (store) => {
        const callback = { ...sampleStatus('pending'), description: 'ü ☃', targetUrl: 'https://x' };
        await store.outbox.add('r1', [{ target: 'a', callback }], 1000);
        await store.outbox.add('r1', [], 1000);
        const [entry, ...others] = await store.outbox.ofRun('r1');
        assert.ok(entry);
        assert.deepEqual(others, []);
        const { id, ...rest } = entry;
        assert.deepEqual(rest, {
          run: 'r1',
          target: 'a',
          callback,
          state: 'pending',
          attempts: 0,
          nextAttemptAt: 1000,
          error: undefined,
          createdAt: 1000,
          finishedAt: undefined,
          answer: undefined,
          importance: 0,
        });
        assert.deepEqual(await store.outbox.get(id), entry);
        assert.equal(await store.outbox.get(id + 1), undefined);
      }),
    );

    test(
      'gives out the oldest of each target, one at a time, in order',
      withStore(async (store) => {
        await add(store, 'a', 'b', 'a', 'b', 'c');
        const first = await claim(store, 2000);
        assert.deepEqual(names(first), ['a1', 'b2', 'c5']);
        assert.deepEqual(await claim(store, 2000), []);
        const [a] = first;
        assert.ok(a);
        await store.outbox.finish(a.id, 'sent', 2001);
        assert.deepEqual(names(await claim(store, 2002)), ['a3']);
      }),
    );

    test(
      'gives out no more than asked for, the oldest first, and counts attempts',
      withStore(async (store) => {
        await add(store, 'a', 'b', 'c');
        const entries = await store.outbox.claim(2000, 100, 2);
        assert.deepEqual(names(entries), ['a1', 'b2']);
        assert.deepEqual(
          entries.map(({ attempts }) => attempts),
          [1, 1],
        );
        assert.deepEqual(names(await store.outbox.claim(2000, 100, 2)), ['c3']);
      }),
    );

    test(
      'gives an entry out again when its sender died and the lease has ended',
      withStore(async (store) => {
        await add(store, 'a', 'a');
        await store.outbox.claim(2000, 100, 9);
        assert.deepEqual(await store.outbox.claim(2099, 100, 9), []);
        const [again] = await store.outbox.claim(2100, 100_000, 9);
        assert.equal(again?.attempts, 2);
        await store.outbox.releaseAll();
        assert.deepEqual(names(await claim(store, 2101)), ['a1']);
      }),
    );

    test(
      'holds back a whole target while its first entry is postponed',
      withStore(async (store) => {
        await add(store, 'a', 'a', 'b');
        const [first] = await claim(store, 2000);
        assert.ok(first);
        await store.outbox.postpone(first.id, 5000, 'GitHub is away');
        const postponed = await store.outbox.get(first.id);
        assert.equal(postponed?.error, 'GitHub is away');
        assert.equal(postponed?.state, 'pending');
        assert.equal(postponed?.nextAttemptAt, 5000);
        assert.deepEqual(await claim(store, 4999), []);
        assert.deepEqual(names(await claim(store, 5000)), ['a1']);
      }),
    );

    test(
      'goes on with a target behind what was sent, became obsolete or died',
      withStore(async (store) => {
        await add(store, 'a', 'a', 'a', 'a');
        for (const [index, state] of (['obsolete', 'dead', 'sent'] as const).entries()) {
          const [entry] = await claim(store, 2000 + index);
          assert.ok(entry);
          assert.equal((entry.callback as StatusCallback).description, `${index + 1}`);
          await store.outbox.finish(entry.id, state, 2000, state === 'dead' ? 'gone' : undefined);
        }
        assert.deepEqual(names(await claim(store, 3000)), ['a4']);
        assert.deepEqual(await store.outbox.countOpen(), { dead: 1, pending: 1 });
      }),
    );

    test(
      'sends the newest of a target again, and only what was sent',
      withStore(async (store) => {
        const [first] = await add(store, 'a', 'a', 'a', 'b');
        const entry = await store.outbox.get(first);
        assert.ok(entry);
        assert.equal(await store.outbox.repeatNewest(entry, 2000), false, 'it waits');
        for (let id = first; id < first + 4; id += 1) await store.outbox.finish(id, 'sent', 2000);
        assert.equal(await store.outbox.repeatNewest(entry, 3000), true);
        assert.deepEqual(names(await claim(store, 3000)), ['a3']);
        const last = await store.outbox.get(first + 2);
        assert.ok(last);
        assert.equal(await store.outbox.repeatNewest(last, 3000), false, 'nothing is behind it');
      }),
    );

    test(
      'finishes an entry once',
      withStore(async (store) => {
        const [id] = await add(store, 'a');
        await store.outbox.postpone(id, 1500, 'failed once');
        const answer = { status: 201, id: '7', url: 'https://github.example/7' };
        await store.outbox.finish(id, 'sent', 2000, undefined, undefined, answer);
        await store.outbox.finish(id, 'dead', 3000, 'late');
        await store.outbox.postpone(id, 4000, 'late');
        const entry = await store.outbox.get(id);
        assert.equal(entry?.state, 'sent');
        assert.equal(entry?.finishedAt, 2000);
        assert.equal(entry?.error, undefined);
        assert.deepEqual(entry?.answer, answer);
      }),
    );

    test(
      'lets no one that lost a claim renew, postpone, give back or finish it',
      withStore(async (store) => {
        const [id] = await add(store, 'a');
        const [first] = await store.outbox.claim(2000, 100, 9);
        assert.ok(first);
        assert.equal(await store.outbox.renew(first, 2200), true);
        assert.deepEqual(await store.outbox.claim(2199, 100, 9), []);
        const [second] = await store.outbox.claim(2200, 100, 9);
        assert.ok(second);
        assert.equal(await store.outbox.renew(first, 9000), false);
        await store.outbox.postpone(id, 9000, 'too late', first.attempts);
        await store.outbox.giveBack(first, 2201);
        assert.deepEqual(await store.outbox.claim(2201, 100, 9), []);
        assert.equal(await store.outbox.finish(id, 'dead', 2201, 'late', first.attempts), false);
        assert.equal((await store.outbox.get(id))?.state, 'pending');
        assert.equal((await store.outbox.get(id))?.nextAttemptAt, 1000);
        assert.equal(await store.outbox.finish(id, 'sent', 2202, undefined, second.attempts), true);
        assert.equal(await store.outbox.renew(second, 9000), false);
      }),
    );

    test(
      'is put back for good, whatever renewal was under way',
      withStore(async (store) => {
        const [id] = await add(store, 'a');
        const [claimed] = await store.outbox.claim(2000, 100, 9);
        assert.ok(claimed);
        await store.outbox.postpone(id, 2001, 'once more', claimed.attempts);
        assert.equal(await store.outbox.renew(claimed, 9000), false);
        assert.equal((await store.outbox.claim(2001, 100, 9)).length, 1);
      }),
    );

    test(
      'gives each entry to one of two who ask at the same moment',
      withStore(async (store) => {
        await add(store, ...Array.from({ length: 20 }, (_, index) => `t${index}-`));
        const claims = Array.from({ length: 10 }, () => store.outbox.claim(2000, 100, 3));
        const taken = (await Promise.all(claims)).flat().map((entry) => entry.id);
        assert.equal(new Set(taken).size, taken.length);
        assert.ok(taken.length >= 3);
      }),
    );

    test(
      'revives what is dead and nothing else',
      withStore(async (store) => {
        const [dead, sent, pending] = await add(store, 'a', 'b', 'c');
        await store.outbox.claim(1000, 100_000, 9);
        await store.outbox.finish(dead, 'dead', 2000, 'gone');
        await store.outbox.finish(sent, 'sent', 2000);
        assert.equal(await store.outbox.revive(sent, 3000), false);
        assert.equal(await store.outbox.revive(pending, 3000), false);
        assert.equal(await store.outbox.revive(99, 3000), false);
        assert.equal(await store.outbox.revive(dead, 3000), true);
        assert.equal(await store.outbox.revive(dead, 3000), false);
        const revived = await store.outbox.get(dead);
        assert.equal(revived?.state, 'pending');
        assert.equal(revived?.attempts, 1, 'it may have arrived before it was given up');
        assert.equal(revived?.finishedAt, undefined);
        assert.deepEqual(names(await claim(store, 3000)), ['a1']);
      }),
    );

    test(
      'takes up again all that was given up, as tried, and says how many',
      withStore(async (store) => {
        const [dead, sent, pending, late] = await add(store, 'a', 'b', 'c', 'd');
        await store.outbox.claim(1000, 100_000, 9);
        await store.outbox.finish(dead, 'dead', 2000, 'gone');
        await store.outbox.finish(sent, 'sent', 2000);
        await store.outbox.finish(late, 'dead', 2000, 'gone');
        assert.equal(await store.outbox.reviveAll(3000), 2);
        assert.equal(await store.outbox.reviveAll(3000), 0);
        for (const id of [dead, late]) {
          const revived = await store.outbox.get(id);
          assert.deepEqual(
            [revived?.state, revived?.attempts, revived?.finishedAt, revived?.nextAttemptAt],
            ['pending', 1, undefined, 3000],
          );
        }
        assert.equal((await store.outbox.get(sent))?.state, 'sent');
        assert.equal((await store.outbox.get(pending))?.nextAttemptAt, 1000);
        assert.deepEqual(names(await claim(store, 3000)), ['a1', 'd4']);
      }),
    );

    test(
      'revives with one of a dead Deployment what died of it, and of another target all when asked for',
      withStore(async (store) => {
        const ours = 'deployment:r1';
        const ids = await add(store, ours, ours, ours, 'deployment:r2', 'status:x', 'status:x');
        const [made, sent, status, other, dead, alone] = ids;
        await store.outbox.finish(sent, 'sent', 2000);
        for (const id of [made, status, other, dead, alone]) {
          await store.outbox.finish(id, 'dead', 2000, 'gone');
        }
        const alive = async () =>
          (await Promise.all(ids.map((id) => store.outbox.get(id))))
            .filter((entry) => entry?.state === 'pending')
            .map((entry) => entry?.id);
        assert.equal(await store.outbox.revive(made, 3000), true);
        assert.deepEqual(await alive(), [made, status]);
        assert.equal(await store.outbox.revive(dead, 3000), true);
        assert.deepEqual(await alive(), [made, status, dead]);
        await store.outbox.finish(dead, 'dead', 2000, 'gone');
        assert.equal(await store.outbox.countDead({ target: 'status:x', run: 'r1' }), 2);
        assert.equal(await store.outbox.revive(alone, 3000, true), true);
        assert.deepEqual(await alive(), [made, status, dead, alone]);
      }),
    );

    test(
      'revives of a target what is of the same repository: the spec may have been another one’s before',
      withStore(async (store) => {
        const repositories = { r1: 'acme/shop', r2: 'Acme/Shop', r3: 'acme/private' };
        for (const [run, repository] of Object.entries(repositories)) {
          await store.runs.insert(sampleRun(run, { repository, lane: run }), []);
          await store.outbox.add(
            run,
            [{ target: 'notify:shop:0', callback: sampleStatus('success') }],
            1,
          );
        }
        const ids = (await store.outbox.list({ limit: 9, before: undefined }, {})).items.map(
          ({ id }) => id,
        );
        for (const id of ids) await store.outbox.finish(id, 'dead', 2000, 'gone');
        const [, , first = 0] = ids;
        assert.equal(await store.outbox.countDead({ target: 'notify:shop:0', run: 'r1' }), 2);
        assert.equal(await store.outbox.revive(first, 3000, true), true);
        const { items } = await store.outbox.list({ limit: 9, before: undefined }, {});
        assert.deepEqual(
          items.map(({ run, state }) => `${run} ${state}`),
          ['r3 dead', 'r2 pending', 'r1 pending'],
        );
      }),
    );

    test(
      'knows what comes later in a target and was not given up, sent or not',
      withStore(async (store) => {
        const [first, other, sent, obsolete, dead, waiting] = await add(
          store,
          'a',
          'b',
          'a',
          'a',
          'a',
          'a',
        );
        await store.outbox.finish(sent, 'sent', 2000);
        await store.outbox.finish(obsolete, 'obsolete', 2000);
        await store.outbox.finish(dead, 'dead', 2000);
        const later = async (...ids: number[]) => {
          const entries = await Promise.all(ids.map((id) => store.outbox.get(id)));
          const known = entries.filter((entry) => entry !== undefined);
          return (await store.outbox.laterInTarget(known)).map((one) => one.id);
        };
        assert.deepEqual(await later(first), [sent, waiting]);
        assert.deepEqual(await later(sent), [waiting]);
        assert.deepEqual(await later(waiting), []);
        assert.deepEqual(await later(other), []);
        assert.deepEqual(await later(other, sent), [waiting]);
        assert.deepEqual(await later(first, other), [sent, waiting]);
        assert.deepEqual(await later(), []);
      }),
    );

    test(
      'lists newest first, by state, in pages that stay where they are',
      withStore(async (store) => {
        const [first, second] = await add(store, 'a', 'b', 'c');
        await store.outbox.finish(first, 'dead', 2000, 'gone');
        await store.outbox.finish(second, 'dead', 2000, 'gone');
        const list = (state?: OutboxState) =>
          walkPages(
            (request) => store.outbox.list(request, { state }),
            () => add(store, 'new'),
          );
        assert.deepEqual((await list('dead')).map(names), [['b2', 'a1']]);
        assert.deepEqual((await list()).map(names), [
          ['new4', 'c3'],
          ['b2', 'a1'],
        ]);
      }),
    );
  });
}

/** Adds one callback for each target; its description is its number in the store, from 1. */
async function add<const Targets extends readonly string[]>(
  store: Store,
  ...targets: Targets
): Promise<{ [Index in keyof Targets]: number }> {
  const ids: number[] = [];
  for (const target of targets) {
    const { items } = await store.outbox.list({ limit: 1, before: undefined }, {});
    const number = (items[0]?.id ?? 0) + 1;
    const callback = { ...sampleStatus('pending'), description: `${number}` };
    await store.outbox.add('r1', [{ target, callback }], 1000);
    ids.push(number);
  }
  return ids as { [Index in keyof Targets]: number };
}

const claim = (store: Store, now: number) => store.outbox.claim(now, 100_000, 9);

const names = (entries: readonly OutboxEntry[]) => entries.map(({ target, id }) => target + id);
