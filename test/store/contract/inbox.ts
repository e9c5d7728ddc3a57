import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Store } from '../../../src/store/index.ts';
import type { WithStore } from '../contract.ts';
import { sampleDelivery } from '../samples.ts';
import { walkPages } from './walk-pages.ts';

const OUTCOME = { summary: 'Deploying storefront', specs: [] };

const HEADERS = '{"User-Agent":"GitHub-Hookshot/1"}';

export function inboxContract(withStore: WithStore): void {
  describe('taking deliveries in', () => {
    test(
      'a delivery is there, whole, once accept has resolved',
      withStore(async (store) => {
        const sent = sampleDelivery('d1', { action: 'published', payload: '{"ü":"☃\\u0000"}' });
        assert.equal(await store.accept(sent), true);
        assert.deepEqual(await store.inbox.get('d1'), {
          seq: 1,
          delivery: {
            id: 'd1',
            event: 'push',
            action: 'published',
            repository: 'acme/storefront',
            state: 'pending',
            receivedAt: 1000,
            processedAt: undefined,
            attempts: 0,
            outcome: undefined,
            copyOf: undefined,
          },
          payload: sent.payload,
          headers: undefined,
        });
        assert.equal(await store.inbox.get('d2'), undefined);
      }),
    );

    test(
      'what decides nothing is stored as processed, with why; what comes again changes nothing of that',
      withStore(async (store) => {
        const outcome = { summary: 'Not deployed: no deployment spec names it', specs: [] };
        const settled = sampleDelivery('d1', { outcome, digest: 'a' });
        const [isNew, other] = await Promise.all([
          store.accept(settled),
          store.accept(sampleDelivery('d2')),
        ]);
        assert.deepEqual([isNew, other], [true, true]);
        const found = (await store.inbox.get('d1'))?.delivery;
        assert.deepEqual(
          { state: found?.state, attempts: found?.attempts, at: found?.processedAt },
          { state: 'processed', attempts: 1, at: settled.receivedAt },
        );
        assert.deepEqual(found?.outcome, outcome);
        assert.equal(await store.inbox.countPending(), 1);
        assert.equal((await store.inbox.claim(2000, 1000))?.delivery.id, 'd2');

        assert.equal(await store.accept(sampleDelivery('d1')), false);
        assert.equal((await store.inbox.get('d1'))?.delivery.state, 'processed');
        assert.equal(await store.accept({ ...settled, id: 'd3' }), false);
        const copy = (await store.inbox.get('d3'))?.delivery;
        assert.equal(copy?.copyOf, 'd1');
        assert.match(copy?.outcome?.summary ?? '', /^Nothing new: delivery d1/);
      }),
    );

    test(
      'a delivery id counts once, in one group and later, and the first payload stays',
      withStore(async (store) => {
        const group = [
          sampleDelivery('d1', { payload: '{"first":true}' }),
          sampleDelivery('d2'),
          sampleDelivery('d1', { payload: '{"second":true}' }),
        ];
        assert.deepEqual(await Promise.all(group.map((one) => store.accept(one))), [
          true,
          true,
          false,
        ]);
        assert.equal(await store.accept(sampleDelivery('d1', { payload: '{}' })), false);
        assert.equal((await store.inbox.get('d1'))?.payload, '{"first":true}');
        assert.deepEqual(await idsOf(store), ['d2', 'd1']);
      }),
    );

    test(
      'a body that was there under another id makes nothing new, in one group and later, and says whose it is',
      withStore(async (store) => {
        const same = (id: string, more = {}) =>
          store.accept(sampleDelivery(id, { digest: 'x', headers: HEADERS, ...more }));
        assert.deepEqual(await Promise.all([same('d1'), same('d2'), same('d1')]), [
          true,
          false,
          false,
        ]);
        assert.equal(await same('d3'), false);
        assert.equal(await same('d1'), false);
        assert.equal(await same('other', { digest: 'y' }), true);
        for (const id of ['none', 'none too']) {
          assert.equal(await store.accept(sampleDelivery(id)), true);
        }
        assert.deepEqual(await idsOf(store), ['none too', 'none', 'other', 'd3', 'd2', 'd1']);
        assert.equal(await store.inbox.countPending(), 4);
        const copy = await store.inbox.get('d2');
        assert.equal(copy?.payload, '');
        assert.equal(copy.headers, undefined);
        assert.equal((await store.inbox.get('d1'))?.headers, HEADERS);
        assert.partialDeepStrictEqual(copy.delivery, { state: 'processed', copyOf: 'd1' });
        assert.match(copy.delivery.outcome?.summary ?? '', /delivery d1 has brought the same body/);
        assert.equal((await store.inbox.get('d1'))?.delivery.copyOf, undefined);
      }),
    );

    test(
      'a body is remembered as long as the id of its delivery, also when the payload is gone',
      withStore(async (store) => {
        const same = (id: string) => store.accept(sampleDelivery(id, { digest: 'x' }));
        await same('d1');
        await store.inbox.close('d1', 'processed', OUTCOME, 1000);
        await store.retention.payloads({ before: 2000, count: 9 }, 2000, 0, 9);
        assert.equal((await store.inbox.get('d1'))?.payload, '');
        assert.equal(await same('d2'), false);
        await store.retention.deliveries(2000, 9);
        assert.equal(await same('d3'), true);
      }),
    );

    test(
      'a thousand deliveries at once are all stored, in the order they came',
      withStore(async (store) => {
        const ids = Array.from({ length: 1000 }, (_, index) => `d${index}`);
        const answers = await Promise.all(
          ids.map((id) => store.accept(sampleDelivery(id, { headers: HEADERS }))),
        );
        assert.deepEqual(new Set(answers), new Set([true]));
        assert.equal(await store.inbox.countPending(), 1000);
        assert.equal((await store.inbox.get('d999'))?.headers, HEADERS);
        assert.deepEqual(
          (await store.inbox.list({ limit: 2000, before: undefined })).items.map(({ id }) => id),
          ids.toReversed(),
        );
      }),
    );

    test(
      'when a group cannot be stored every one in it hears so, and none of it is there',
      withStore(async (store) => {
        const broken = sampleDelivery('d2', { event: null as never });
        const group = [sampleDelivery('d1'), broken, sampleDelivery('d3')];
        const answers = await Promise.allSettled(group.map((one) => store.accept(one)));
        assert.deepEqual(
          answers.map(({ status }) => status),
          ['rejected', 'rejected', 'rejected'],
        );
        assert.deepEqual(await idsOf(store), []);
        assert.equal(await store.accept(sampleDelivery('d1')), true);
      }),
    );
  });

  describe('claiming deliveries', () => {
    test(
      'the oldest delivery is claimed first, and its attempts are counted',
      withStore(async (store) => {
        for (const id of ['b', 'a']) await store.accept(sampleDelivery(id));
        const claimed = await store.inbox.claim(2000, 100);
        assert.equal(claimed?.delivery.id, 'b');
        assert.equal(claimed?.delivery.attempts, 1);
        assert.equal(claimed?.payload, '{"delivery":"b"}');
      }),
    );

    test(
      'behind a claimed delivery are those of its repository that came right after it and were not tried',
      withStore(async (store) => {
        const ids = ['d1', 'd2', 'd3', 'd4', 'd5'];
        const others = { repository: 'acme/other' };
        for (const id of ids) {
          await store.accept(sampleDelivery(id));
          await store.accept(sampleDelivery(`other of ${id}`, others));
        }
        const claimed = await store.inbox.claim(2000, 1000);
        assert.ok(claimed?.delivery.id === 'd1');
        const behind = async (limit = 9, bytes = 999) => {
          const found = await store.inbox.following(claimed.delivery, 2000, limit, bytes);
          return found.map(({ delivery, payload }) => [delivery.id, payload]);
        };
        const all = ids.slice(1).map((id) => [id, `{"delivery":"${id}"}`]);
        assert.deepEqual(await behind(), all);
        assert.deepEqual(await behind(2), all.slice(0, 2));
        assert.deepEqual(await behind(9, 60), all.slice(0, 3), 'of 17 bytes each');
        const first = await store.inbox.following(claimed.delivery, 2000, 1, 999);
        const outcomes = new Map(first.map((one) => [one, OUTCOME]));
        assert.equal((await store.inbox.closeIdle(outcomes, 2050)).length, 1);
        assert.deepEqual(await behind(), all.slice(1), 'what is closed is passed over');
        await store.inbox.postpone('d1', 9000, 'later', undefined, true);
        assert.equal((await store.inbox.claim(2000, 1000))?.delivery.id, 'other of d1');
        assert.equal((await store.inbox.claim(2000, 1000))?.delivery.id, 'd3');
        await store.inbox.postpone('d3', 9000, 'later', undefined, true);
        assert.deepEqual(await behind(), [], 'the next one was tried');
      }),
    );

    test(
      'what is not claimed can be closed many at once, and what is claimed stays as it is',
      withStore(async (store) => {
        for (const id of ['d1', 'd2', 'd3', 'd4']) await store.accept(sampleDelivery(id));
        const waiting = await store.inbox.waiting(0, 2000, 3);
        assert.deepEqual(
          waiting.map(({ delivery, payload }) => [delivery.id, payload]),
          ['d1', 'd2', 'd3'].map((id) => [id, JSON.stringify({ delivery: id })]),
        );
        await store.inbox.claim(2000, 100);
        const outcomes = new Map(waiting.map((one) => [one, OUTCOME]));
        const closed = await store.lazily(({ inbox }) => inbox.closeIdle(outcomes, 2050));
        assert.deepEqual(
          closed.map(({ delivery }) => delivery.id),
          ['d2', 'd3'],
        );
        assert.equal((await store.inbox.get('d1'))?.delivery.state, 'pending');
        const { delivery } = (await store.inbox.get('d2')) ?? assert.fail();
        assert.partialDeepStrictEqual(delivery, {
          state: 'processed',
          attempts: 1,
          processedAt: 2050,
          outcome: OUTCOME,
        });
        const rest = await store.inbox.waiting(waiting.at(-1)?.seq ?? 0, 2000, 3);
        assert.deepEqual(
          rest.map((one) => one.delivery.id),
          ['d4'],
        );
      }),
    );

    test(
      'a delivery waits for the earlier ones of its repository, not for those of others',
      withStore(async (store) => {
        await store.accept(sampleDelivery('a1'));
        await store.accept(sampleDelivery('a2', { repository: 'ACME/Storefront' }));
        await store.accept(sampleDelivery('b1', { repository: 'acme/other' }));
        assert.equal(await claimId(store, 2000), 'a1');
        assert.equal(await claimId(store, 2000), 'b1');
        assert.equal(await claimId(store, 2000), undefined);
        await store.inbox.close('a1', 'processed', OUTCOME, 2001);
        assert.equal(await claimId(store, 2001), 'a2');
      }),
    );

    test(
      'deliveries without a repository do not wait for each other',
      withStore(async (store) => {
        for (const id of ['d1', 'd2']) {
          await store.accept(sampleDelivery(id, { repository: undefined }));
        }
        assert.equal(await claimId(store, 2000), 'd1');
        assert.equal(await claimId(store, 2000), 'd2');
      }),
    );

    test(
      'a delivery whose worker died is claimed again after its lease',
      withStore(async (store) => {
        await store.accept(sampleDelivery('d1'));
        assert.equal(await claimId(store, 2000, 100), 'd1');
        assert.equal(await claimId(store, 2099, 100), undefined);
        assert.equal((await store.inbox.claim(2100, 100))?.delivery.attempts, 2);
      }),
    );

    test(
      'what a process that is gone had claimed can be given back at once',
      withStore(async (store) => {
        await store.accept(sampleDelivery('d1'));
        await claimId(store, 2000, 100_000);
        await store.inbox.releaseAll();
        assert.equal(await claimId(store, 2001), 'd1');
      }),
    );

    test(
      'a postponed delivery is not claimed before its time, says why, and holds up its repository',
      withStore(async (store) => {
        await store.accept(sampleDelivery('a1'));
        await store.accept(sampleDelivery('a2'));
        await store.accept(sampleDelivery('b1', { repository: 'acme/other' }));
        await claimId(store, 2000);
        await store.inbox.postpone('a1', 5000, 'git cannot be reached');
        const postponed = await store.inbox.get('a1');
        assert.equal(postponed?.delivery.state, 'pending');
        assert.equal(postponed?.delivery.outcome?.summary, 'git cannot be reached');
        assert.equal(await claimId(store, 4999), 'b1');
        assert.equal(await claimId(store, 4999), undefined);
        assert.equal(await claimId(store, 5000), 'a1');
      }),
    );

    test(
      'a delivery that is deferred waits alone until it is due again, and comes first then',
      withStore(async (store) => {
        for (const id of ['a1', 'a2', 'a3']) await store.accept(sampleDelivery(id));
        await store.accept(sampleDelivery('b1', { repository: 'acme/other' }));
        await store.inbox.close('b1', 'processed', OUTCOME, 1);
        for (const [attempt, until] of [
          [1, 2000],
          [2, 9000],
        ] as const) {
          assert.equal(await store.inbox.hasPending('acme/storefront'), true);
          assert.equal(await claimId(store, 2000), 'a1');
          assert.equal(await claimId(store, 2000), undefined, 'the others wait');
          await store.inbox.postpone('a1', until, 'git cannot be reached', attempt, attempt === 2);
        }
        const second = await store.inbox.claim(8000, 100);
        assert.equal(second?.delivery.id, 'a2');
        assert.equal(await claimId(store, 8000), undefined, 'that one is strictly in order');
        await store.inbox.postpone('a2', 8500, 'git cannot be reached');
        assert.equal(await claimId(store, 9000), 'a1');
        assert.equal(await claimId(store, 9000), undefined, 'it is being tried');
        await store.inbox.close('a1', 'processed', OUTCOME, 9001);
        assert.equal(await claimId(store, 9001), 'a2');
      }),
    );

    test(
      'what was deferred before a delivery is made due for it, and is not waited for when branches are looked at',
      withStore(async (store) => {
        await store.accept(sampleDelivery('a1'));
        await store.accept(sampleDelivery('b1', { repository: 'acme/other' }));
        for (const id of ['a1', 'b1']) assert.equal(await claimId(store, 2000), id);
        for (const id of ['a1', 'b1']) await store.inbox.postpone(id, 9000, '', 1, true);
        assert.equal(await store.inbox.hasPending('acme/storefront'), false);
        await store.accept(sampleDelivery('a2'));
        assert.equal(await store.inbox.hasPending('acme/storefront'), true);
        await store.accept(sampleDelivery('a3'));
        const recall = async (id: string, now: number) => {
          const found = await store.inbox.get(id);
          assert.ok(found);
          return await store.inbox.recall(found.delivery, now);
        };
        assert.equal(await recall('a1', 3000), 0, 'nothing came before it');
        assert.equal(await recall('a3', 3000), 1);
        assert.equal(await claimId(store, 3000), 'a1');
        assert.equal(await recall('a3', 3000), 0, 'it is being tried');
        assert.equal(await claimId(store, 3000), undefined);
      }),
    );

    test(
      'of many that are deferred the newest are made due',
      withStore(async (store) => {
        const ids = Array.from({ length: 22 }, (_, index) => `a${index}`);
        for (const id of ids) {
          await store.accept(sampleDelivery(id));
          assert.equal(await claimId(store, 2000), id);
          await store.inbox.postpone(id, 9000, '', 1, true);
        }
        await store.accept(sampleDelivery('last'));
        const last = await store.inbox.get('last');
        assert.ok(last);
        assert.equal(await store.inbox.recall(last.delivery, 3000), 20);
        assert.equal(await claimId(store, 3000), 'a2');
      }),
    );

    test(
      'a delivery is closed only once and never claimed again',
      withStore(async (store) => {
        await store.accept(sampleDelivery('d1'));
        await claimId(store, 2000);
        assert.equal(await store.inbox.close('d1', 'processed', OUTCOME, 2001), true);
        assert.equal(
          await store.inbox.close('d1', 'failed', { ...OUTCOME, summary: '' }, 3),
          false,
        );
        await store.inbox.postpone('d1', 0, 'too late');
        const closed = await store.inbox.get('d1');
        assert.equal(closed?.delivery.state, 'processed');
        assert.equal(closed?.delivery.processedAt, 2001);
        assert.deepEqual(closed?.delivery.outcome, OUTCOME);
        assert.equal(await claimId(store, 1_000_000), undefined);
        assert.equal(await store.inbox.countPending(), 0);
        assert.equal(await store.inbox.close('unknown', 'processed', OUTCOME, 1), false);
      }),
    );

    test(
      'a process that lost a claim can neither renew, postpone nor close it',
      withStore(async (store) => {
        await store.accept(sampleDelivery('d1'));
        const first = await store.inbox.claim(2000, 100);
        assert.ok(first);
        assert.equal(await store.inbox.renew(first, 2200), true);
        assert.equal(await claimId(store, 2199), undefined);
        const second = await store.inbox.claim(2200, 100);
        assert.equal(second?.delivery.attempts, 2);
        assert.equal(await store.inbox.renew(first, 9000), false);
        await store.inbox.postpone('d1', 9000, 'too late', 1);
        assert.equal((await store.inbox.get('d1'))?.delivery.outcome, undefined);
        assert.equal(await store.inbox.close('d1', 'failed', OUTCOME, 2201, 1), false);
        assert.equal(await store.inbox.close('d1', 'processed', OUTCOME, 2202, 2), true);
        assert.equal((await store.inbox.get('d1'))?.delivery.state, 'processed');
        assert.equal(await store.inbox.renew(second, 9000), false);
      }),
    );

    test(
      'a renewal that was under way does not undo that a delivery was put back',
      withStore(async (store) => {
        await store.accept(sampleDelivery('d1'));
        const claimed = await store.inbox.claim(2000, 100);
        assert.ok(claimed);
        await store.inbox.postpone('d1', 2001, 'Interrupted by a shutdown', 1);
        assert.equal(await store.inbox.renew(claimed, 9000), false);
        assert.equal(await claimId(store, 2001), 'd1');
      }),
    );

    test(
      'what is of a repository that is left out is not taken, and all else in its order is',
      withStore(async (store) => {
        await store.accept(sampleDelivery('a1', { repository: 'acme/a' }));
        await store.accept(sampleDelivery('b1', { repository: 'acme/b' }));
        await store.accept(sampleDelivery('none', { repository: undefined }));
        await store.accept(sampleDelivery('c1', { repository: 'acme/c' }));
        const taken: (string | undefined)[] = [];
        for (let times = 0; times < 3; times += 1) {
          taken.push((await store.inbox.claim(2000, 100, ['acme/a', 'acme/b']))?.delivery.id);
        }
        assert.deepEqual(taken, ['none', 'c1', undefined]);
        assert.equal(await claimId(store, 2000), 'a1');
      }),
    );

    test(
      'two claims at the same moment never get the same delivery',
      withStore(async (store) => {
        for (let index = 0; index < 20; index += 1) {
          await store.accept(sampleDelivery(`d${index}`, { repository: `acme/r${index}` }));
        }
        const claims = Array.from({ length: 20 }, () => claimId(store, 2000));
        assert.equal(new Set(await Promise.all(claims)).size, 20);
      }),
    );
  });

  test(
    'pages of deliveries stay where they are when new ones come in between',
    withStore(async (store) => {
      for (const id of ['d1', 'd2', 'd3', 'd4', 'd5']) await store.accept(sampleDelivery(id));
      const pages = await walkPages(
        (request) => store.inbox.list(request),
        () => store.accept(sampleDelivery(`new ${Math.random()}`)),
      );
      assert.deepEqual(
        pages.map((page) => page.map(({ id }) => id)),
        [['d5', 'd4'], ['d3', 'd2'], ['d1']],
      );
    }),
  );
}

async function claimId(store: Store, now: number, leaseMs = 100_000): Promise<string | undefined> {
  return (await store.inbox.claim(now, leaseMs))?.delivery.id;
}

async function idsOf(store: Store): Promise<string[]> {
  const { items } = await store.inbox.list({ limit: 100, before: undefined });
  return items.map(({ id }) => id);
}
