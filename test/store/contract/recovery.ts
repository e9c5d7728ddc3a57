import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { SeenPush } from '../../../src/store/pushes.ts';
import type { WithStore } from '../contract.ts';
import type { NewRun } from '../../../src/store/runs.ts';
import { sampleDelivery, sampleRun } from '../samples.ts';

const REPOSITORY = 'acme/storefront';
const MAIN = 'refs/heads/main';
const DAY = 86_400_000;
const OUTCOME = { summary: '', specs: [] };

const push = (delivery: string, before: string | undefined, after: string): SeenPush => ({
  repository: REPOSITORY,
  ref: MAIN,
  before,
  after,
  delivery,
  seenAt: 1000,
});

export function recoveryContract(withStore: WithStore): void {
  describe('what finding missed pushes needs', () => {
    test(
      'a cursor is what it was last set to, each for itself',
      withStore(async ({ cursors }) => {
        assert.equal(await cursors.get('a'), undefined);
        await cursors.set('a', '1', 1000);
        await cursors.set('b', '☃', 1000);
        await cursors.set('a', '2', 2000);
        assert.equal(await cursors.get('a'), '2');
        assert.equal(await cursors.get('b'), '☃');
      }),
    );

    test(
      'branches stand where they were last seen, whatever the case of the repository, and are forgotten when they are gone',
      withStore(async ({ branchHeads }) => {
        assert.equal((await branchHeads.of(REPOSITORY)).size, 0);
        await branchHeads.see(REPOSITORY, MAIN, 'one', 1000);
        await branchHeads.see('ACME/Storefront', MAIN, 'two', 2000);
        await branchHeads.see(REPOSITORY, 'refs/heads/other', 'three', 3000);
        await branchHeads.see('acme/another', MAIN, 'four', 4000);
        assert.deepEqual(
          await branchHeads.of('acme/STOREFRONT'),
          new Map([
            [MAIN, { sha: 'two', seenAt: 2000 }],
            ['refs/heads/other', { sha: 'three', seenAt: 3000 }],
          ]),
        );
        await branchHeads.see(REPOSITORY, MAIN, undefined, 5000);
        await branchHeads.see(REPOSITORY, 'refs/heads/unknown', undefined, 5000);
        assert.deepEqual([...(await branchHeads.of(REPOSITORY)).keys()], ['refs/heads/other']);
        assert.equal((await branchHeads.of('acme/another')).size, 1);
        await branchHeads.retain(new Set(['ACME/Another', 'acme/third']));
        assert.equal((await branchHeads.of(REPOSITORY)).size, 0);
        assert.equal((await branchHeads.of('acme/another')).size, 1);
      }),
    );

    test(
      'of a push is known which delivery told of it, in its repository and on its branch only',
      withStore(async ({ pushes }) => {
        await pushes.record(push('d1', undefined, 'one'));
        await pushes.record({ ...push('d1', 'x', 'other'), seenAt: 2000 });
        assert.equal(await pushes.broughtTo('ACME/storefront', MAIN, 'one'), 'd1');
        assert.equal(await pushes.broughtTo(REPOSITORY, MAIN, 'other'), undefined, 'once each');
        assert.equal(await pushes.broughtTo(REPOSITORY, 'refs/heads/x', 'one'), undefined);
        assert.equal(await pushes.broughtTo('acme/another', MAIN, 'one'), undefined);
      }),
    );

    test(
      'a push from which the branch was moved on did not bring it where it is, until it is moved back',
      withStore(async ({ pushes }) => {
        await pushes.record(push('d1', 'zero', 'one'));
        await pushes.record(push('d2', 'one', 'two'));
        assert.equal(await pushes.broughtTo(REPOSITORY, MAIN, 'one'), undefined);
        assert.equal(await pushes.broughtTo(REPOSITORY, MAIN, 'two'), 'd2');
        await pushes.record(push('d3', 'two', 'one'));
        assert.equal(await pushes.broughtTo(REPOSITORY, MAIN, 'one'), 'd3');
        const last = await pushes.last('ACME/storefront', MAIN);
        assert.ok(last >= 3);
        assert.equal(await pushes.last(REPOSITORY, 'refs/heads/x'), 0);
        assert.equal(await pushes.broughtTo(REPOSITORY, MAIN, 'two'), undefined);
      }),
    );

    test(
      'of two deliveries that told of the same push the later one is named',
      withStore(async ({ pushes }) => {
        await pushes.record(push('d1', 'zero', 'one'));
        await pushes.record(push('d2', 'zero', 'one'));
        assert.equal(await pushes.broughtTo(REPOSITORY, MAIN, 'one'), 'd2');
      }),
    );

    test(
      'a push is forgotten after a month, when the same branch is pushed to again',
      withStore(async ({ pushes }) => {
        await pushes.record(push('d1', 'zero', 'one'));
        await pushes.record({ ...push('d2', 'x', 'y'), ref: 'refs/heads/x' });
        await pushes.record({ ...push('d3', 'two', 'three'), seenAt: 1000 + 30 * DAY });
        assert.equal(await pushes.broughtTo(REPOSITORY, MAIN, 'one'), 'd1');
        await pushes.record({ ...push('d4', 'three', 'four'), seenAt: 1001 + 30 * DAY });
        assert.equal(await pushes.broughtTo(REPOSITORY, MAIN, 'one'), undefined);
        assert.equal(await pushes.broughtTo(REPOSITORY, 'refs/heads/x', 'y'), 'd2');
      }),
    );

    test(
      'of many deliveries those are known that are there, in whatever state',
      withStore(async (store) => {
        await store.accept(sampleDelivery('d1'));
        await store.accept(sampleDelivery('d2', { repository: undefined }));
        await store.inbox.close('d2', 'failed', OUTCOME, 1);
        assert.deepEqual(await store.inbox.known([]), new Set());
        const asked = ['d3', 'd2', 'd1', ...Array.from({ length: 97 }, (_, index) => `x${index}`)];
        assert.deepEqual(await store.inbox.known(asked), new Set(['d1', 'd2']));
      }),
    );

    test(
      'a repository has something pending until all its deliveries are closed, whatever its case',
      withStore(async (store) => {
        assert.equal(await store.inbox.hasPending(REPOSITORY), false);
        await store.accept(sampleDelivery('d1'));
        await store.accept(sampleDelivery('d2', { repository: 'ACME/Storefront' }));
        await store.accept(sampleDelivery('d3', { repository: undefined }));
        await store.inbox.close('d1', 'processed', OUTCOME, 1);
        assert.equal(await store.inbox.hasPending('Acme/STOREFRONT'), true);
        assert.equal(await store.inbox.hasPending('acme/other'), false);
        await store.inbox.close('d2', 'failed', OUTCOME, 1);
        assert.equal(await store.inbox.hasPending(REPOSITORY), false);
      }),
    );

    test(
      'a run is found that a later delivery has made, of the same spec in the same lane',
      withStore(async (store) => {
        for (const id of ['d1', 'd2', 'd3', 'd4', 'd5']) await store.accept(sampleDelivery(id));
        const insert = (id: string, delivery: string, more: Partial<NewRun> = {}) =>
          store.runs.insert(sampleRun(id, { delivery, ...more }), []);
        await insert('r4', 'd4', { state: 'succeeded' });
        await insert('r1', 'd1');
        await insert('r3', 'd3', { state: 'failed' });
        await insert('other spec', 'd4', { spec: 'docs' });
        await insert('other lane', 'd4', { lane: 'staging' });
        await insert('by hand', 'd4', { cause: 'replay' });
        await insert('came late itself', 'd5', { state: 'superseded' });
        const made = async (delivery: string) =>
          (await store.runs.madeByLater('storefront', 'main', delivery))?.id;
        assert.equal(await made('d2'), 'r3', 'the newest of them');
        assert.equal(await made('d3'), 'r4');
        assert.equal(await made('d4'), undefined);
        assert.equal(await store.runs.madeByLater('storefront', 'none', 'd1'), undefined);
      }),
    );
  });
}
