import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { SeenPush } from '../../../src/store/pushes.ts';
import type { WithStore } from '../contract.ts';
import type { NewRun } from '../../../src/model/run.ts';
import { sampleDelivery, sampleRun } from '../samples.ts';

const REPOSITORY = 'acme/storefront';
const MAIN = 'refs/heads/main';
const OUTCOME = { summary: '', specs: [] };

const push = (delivery: string, before: string, after: string): SeenPush => ({
  repository: REPOSITORY,
  ref: MAIN,
  before,
  after,
  delivery,
  found: false,
  toldBy: undefined,
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
        await branchHeads.see(REPOSITORY, MAIN, { sha: 'one', pushSeq: 0, seenAt: 1000 });
        await branchHeads.see('ACME/Storefront', MAIN, { sha: 'two', pushSeq: 0, seenAt: 2000 });
        await branchHeads.see(REPOSITORY, 'refs/heads/other', {
          sha: 'three',
          pushSeq: 0,
          seenAt: 3000,
        });
        await branchHeads.see('acme/another', MAIN, { sha: 'four', pushSeq: 0, seenAt: 4000 });
        assert.deepEqual(
          await branchHeads.of('acme/STOREFRONT'),
          new Map([
            [MAIN, 'two'],
            ['refs/heads/other', 'three'],
          ]),
        );
        await branchHeads.forget(REPOSITORY, MAIN);
        await branchHeads.forget(REPOSITORY, 'refs/heads/unknown');
        assert.deepEqual([...(await branchHeads.of(REPOSITORY)).keys()], ['refs/heads/other']);
        assert.equal((await branchHeads.of('acme/another')).size, 1);
      }),
    );

    test(
      'the branches of a repository are forgotten when no process has named it for so long',
      withStore(async ({ branchHeads }) => {
        const known = async () =>
          await Promise.all(
            ['acme/one', 'acme/two'].map(async (name) => (await branchHeads.of(name)).size),
          );
        for (const name of ['acme/one', 'acme/two'])
          await branchHeads.see(name, MAIN, { sha: 'a', pushSeq: 0, seenAt: 1 });
        await branchHeads.retain(new Set(['ACME/One']), 0, 1000);
        await branchHeads.retain(new Set(['acme/Two']), 500, 1500);
        await branchHeads.see('acme/two', 'refs/heads/x', { sha: 'a', pushSeq: 0, seenAt: 1 });
        await branchHeads.retain(new Set(['ACME/One']), 1000, 2000);
        assert.deepEqual(await known(), [1, 2], 'one of its branches was seen since');
        await branchHeads.keep(new Set(['ACME/One']));
        await branchHeads.retain(new Set(), 1999, 2999);
        assert.deepEqual(await known(), [1, 2]);
        await branchHeads.retain(new Set(), 2000, 3000);
        assert.deepEqual(await known(), [1, 0], 'the other one was named since');
      }),
    );

    test(
      'of a ref are known the pushes since it was last seen, those found before, and their parts, each delivery once',
      withStore(async ({ branchHeads, pushes }) => {
        const told = async (ref = MAIN, repository = 'ACME/storefront') =>
          (await pushes.history(repository, ref)).pushes.map(({ delivery }) => delivery);
        await pushes.record(push('d1', 'zero', 'one'));
        await pushes.record({ ...push('d1', 'x', 'other'), seenAt: 2000 });
        const hasFound = async (ref = MAIN) => await pushes.hasFound('ACME/storefront', ref);
        assert.equal(await hasFound(), false);
        await pushes.record({ ...push('d2', 'one', 'two'), found: true });
        assert.deepEqual([await hasFound(), await hasFound('refs/heads/x')], [true, false]);
        await pushes.record({ ...push('d3', 'one', 'two'), toldBy: 'd2' });
        assert.deepEqual(await told(), ['d1', 'd2', 'd3']);
        assert.deepEqual(await told('refs/heads/x'), []);
        assert.deepEqual(await told(MAIN, 'acme/another'), []);
        const last = await pushes.last();
        await branchHeads.see(REPOSITORY, MAIN, { sha: 'two', pushSeq: last, seenAt: 1 });
        await pushes.record(push('d4', 'two', 'three'));
        assert.deepEqual(await told(), ['d2', 'd3', 'd4']);
        const { seen, pushes: known } = await pushes.history(REPOSITORY, MAIN);
        assert.deepEqual(seen, { sha: 'two', seq: last });
        assert.deepEqual(
          known.map(({ found, toldBy }) => [found, toldBy]),
          [
            [true, undefined],
            [false, 'd2'],
            [false, undefined],
          ],
        );
        assert.deepEqual([await pushes.isNoted('d4'), await pushes.isNoted('d5')], [true, false]);
        const newest = await pushes.newest(REPOSITORY, MAIN);
        assert.deepEqual(newest.map(({ before, after }) => [before, after])[0], ['two', 'three']);
      }),
    );

    test(
      'refs that deliveries told to have moved since they were looked at are known, but not by what a look itself told',
      withStore(async ({ branchHeads, pushes }) => {
        const seen = async (ref: string, pushSeq: number) =>
          await branchHeads.see(REPOSITORY, ref, { sha: 'one', pushSeq, seenAt: 1 });
        const other = 'refs/heads/other';
        await pushes.record(push('d1', 'zero', 'one'));
        const last = await pushes.last();
        await seen(MAIN, last);
        await seen(other, last);
        await pushes.record({ ...push('d2', 'one', 'two'), found: true });
        await pushes.record({ ...push('d3', 'one', 'two'), toldBy: 'd2' });
        assert.deepEqual(await pushes.movedSinceLook(REPOSITORY), new Set());
        await pushes.record({ ...push('d4', 'one', 'two'), ref: other });
        await pushes.record({ ...push('d5', 'one', 'two'), ref: 'refs/heads/unseen' });
        assert.deepEqual(await pushes.movedSinceLook(REPOSITORY.toUpperCase()), new Set([other]));
        assert.deepEqual(await pushes.movedSinceLook('acme/another'), new Set());
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
        await insert('deployed by hand', 'd5', { cause: 'deploy', state: 'succeeded' });
        assert.equal(await made('d4'), 'deployed by hand', 'it was asked for later');
        assert.equal(await made('d5'), undefined);
        assert.equal(await store.runs.madeByLater('storefront', 'none', 'd1'), undefined);
      }),
    );
  });
}
