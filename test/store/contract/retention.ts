import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Store } from '../../../src/store/index.ts';
import type { NewRun } from '../../../src/model/run.ts';
import type { WithStore } from '../contract.ts';
import { sampleDelivery, samplePreview, sampleRun, sampleStatus } from '../samples.ts';
import { audited } from '../../support/audited.ts';

const OUTCOME = { summary: 'Not deployed', specs: [] };
const NEVER = 1_000_000;
const ALL = { limit: 100, before: undefined };
/** Everything that ended before 5000, however few there are. */
const OLD = { before: 5000, count: NEVER, fresh: 10_000 };

export function retentionContract(withStore: WithStore): void {
  describe('what is no longer kept', () => {
    test(
      'the payload of an old delivery goes and its id stays, so that it counts once for ever (G2)',
      withStore(async (store) => {
        await processed(store, 'd1', 1000);
        await processed(store, 'd2', 6000);
        await store.accept(sampleDelivery('waiting', { receivedAt: 1000 }));
        const batch = await store.retention.payloads(OLD, 9000, 0, 100);
        assert.equal(batch.removed, 1);
        assert.equal((await store.inbox.get('d1'))?.payload, '');
        assert.equal((await store.inbox.get('d1'))?.headers, undefined);
        assert.notEqual((await store.inbox.get('d2'))?.headers, undefined);
        assert.match((await store.inbox.get('d1'))?.delivery.outcome?.summary ?? '', /no longer/);
        assert.notEqual((await store.inbox.get('d2'))?.payload, '');
        assert.notEqual((await store.inbox.get('waiting'))?.payload, '');
        assert.equal(await store.accept(sampleDelivery('d1')), false);
        assert.deepEqual([...(await store.inbox.known(['d1', 'd3']))], ['d1']);
        assert.equal((await store.retention.payloads(OLD, 9000, 0, 100)).removed, 0);
      }),
    );

    test(
      'the message that a run has in a chat goes with the run',
      withStore(async (store) => {
        await store.runs.insert(sampleRun('r1', { state: 'failed', finishedAt: 1000 }), []);
        await store.outbox.setNumber('slack-app:r1:0', 'r1', 1_700_000_000_000_001);
        await store.outbox.setNumber('slack-app:r1:0', 'r1', 1_700_000_000_000_002);
        assert.equal(await store.outbox.number('slack-app:r1:0'), 1_700_000_000_000_002);
        assert.equal(await store.outbox.number('slack-app:r1:1'), undefined);
        await store.retention.runs(OLD, 0, 100);
        assert.equal(await store.runs.get('r1'), undefined);
        assert.equal(await store.outbox.number('slack-app:r1:0'), undefined);
      }),
    );

    test(
      'only the newest deliveries keep their payload, as many as are to',
      withStore(async (store) => {
        for (const id of ['d1', 'd2', 'd3', 'd4']) await processed(store, id, 1000);
        await store.retention.payloads({ before: 0, count: 2 }, 9000, 0, 100);
        assert.deepEqual(await whole(store, ['d1', 'd2', 'd3', 'd4']), ['d3', 'd4']);
      }),
    );

    test(
      'a delivery keeps its payload as long as it has a run',
      withStore(async (store) => {
        for (const id of ['d1', 'd2']) await processed(store, id, 1000);
        await store.runs.insert(sampleRun('r1', { delivery: 'd1' }), []);
        await store.retention.payloads(OLD, 9000, 0, 100);
        assert.deepEqual(await whole(store, ['d1', 'd2']), ['d1']);
      }),
    );

    test(
      'the row of a delivery goes only when it is older than it could be sent again',
      withStore(async (store) => {
        for (const [id, at] of [
          ['d1', 1000],
          ['d2', 3000],
          ['d3', 1000],
        ] as const) {
          await processed(store, id, at);
          if (id === 'd2') await store.retention.payloads(OLD, 9000, 0, 100);
        }
        assert.equal(await store.retention.deliveries(2000, 100), 1);
        const left = await store.inbox.known(['d1', 'd2', 'd3']);
        assert.deepEqual([...left].sort(), ['d2', 'd3']);
      }),
    );

    test(
      'an old run goes with its steps, its log and its callbacks, in pieces however long the log is',
      withStore(async (store) => {
        await ended(store, 'r1', { finishedAt: 1000 });
        await ended(store, 'r2', { finishedAt: 6000 });
        await store.runs.insert(sampleRun('waiting', { createdAt: 1000 }), ['Build']);
        await ended(store, 'running', { state: 'running', finishedAt: undefined, lane: 'other' });
        const batch = await store.retention.runs(OLD, 0, 3);
        assert.equal(batch.removed, 1);
        assert.equal(await store.runs.get('r1'), undefined);
        assert.deepEqual(await store.steps.ofRun('r1'), []);
        assert.deepEqual(await store.logs.read('r1', -1, 100), []);
        assert.deepEqual(await store.outbox.ofRun('r1'), []);
        for (const id of ['r2', 'running']) {
          assert.equal((await store.logs.read(id, -1, 100)).length, 10);
          assert.equal((await store.steps.ofRun(id)).length, 1);
          assert.equal((await store.outbox.ofRun(id)).length, 1);
        }
        assert.deepEqual(await present(store, ['waiting', 'running']), ['waiting', 'running']);
      }),
    );

    test(
      'only the newest runs stay, as many as are to, and those that have just ended',
      withStore(async (store) => {
        for (const id of ['r1', 'r2', 'r3']) await ended(store, id, { finishedAt: 1000 });
        await store.retention.runs({ before: 0, count: 1, fresh: 500 }, 0, 100);
        assert.deepEqual(await present(store, ['r1', 'r2', 'r3']), ['r1', 'r2', 'r3']);
        await store.retention.runs({ before: 0, count: 1, fresh: 2000 }, 0, 100);
        assert.deepEqual(await present(store, ['r1', 'r2', 'r3']), ['r3']);
      }),
    );

    test(
      'the run that a preview was last to be deployed by stays until that is taken down: it says how',
      withStore(async (store) => {
        await ended(store, 'r1', {});
        await store.previews.note(samplePreview({ runId: 'r1' }));
        await store.retention.runs(OLD, 0, 100);
        assert.deepEqual(await present(store, ['r1']), ['r1']);
        await store.previews.note(samplePreview({ runId: 'r1', state: 'ended' }));
        await store.retention.runs(OLD, 0, 100);
        assert.deepEqual(await present(store, ['r1']), []);
      }),
    );

    test(
      'what is deployed stays, and the last ten successes of each lane to roll back to',
      withStore(async (store) => {
        const ids = Array.from({ length: 12 }, (_, index) => `s${index}`);
        for (const id of ids) await ended(store, id, { state: 'succeeded', sha: id });
        await ended(store, 'other', { state: 'succeeded', lane: 'other', sha: 'x' });
        const deployed = await store.runs.get('s0');
        assert.ok(deployed);
        await store.environments.record(deployed, 1000);
        await store.retention.runs(OLD, 0, 100);
        const kept = ['s0', ...ids.slice(2), 'other'];
        assert.deepEqual(await present(store, [...ids, 'other']), kept);
        for (const id of kept) assert.equal((await store.logs.read(id, -1, 100)).length, 10, id);
      }),
    );

    test(
      'neither failures nor repetitions by hand nor other specs in the lane push one of the ten out',
      withStore(async (store) => {
        const ids = Array.from({ length: 10 }, (_, index) => `s${index}`);
        for (const id of ids) await ended(store, id, { state: 'succeeded', sha: id });
        for (let index = 0; index < 12; index += 1) {
          await ended(store, `failed${index}`, { sha: `f${index}` });
          await ended(store, `retry${index}`, { state: 'succeeded', cause: 'retry', sha: 's9' });
          await ended(store, `spec${index}`, { state: 'succeeded', spec: 'x', sha: `x${index}` });
        }
        await store.retention.runs(OLD, 0, 100);
        assert.deepEqual(await present(store, ids), ids);
      }),
    );

    test(
      'of what was deployed again by hand the last ten stay too, and not all for ever',
      withStore(async (store) => {
        await ended(store, 'event', { state: 'succeeded' });
        const ids = Array.from({ length: 30 }, (_, index) => `retry${index}`);
        for (const id of ids) await ended(store, id, { state: 'succeeded', cause: 'retry' });
        await store.retention.runs(OLD, 0, 100);
        assert.deepEqual(await present(store, ['event', ...ids]), ['event', ...ids.slice(20)]);
      }),
    );

    test(
      'the run that a rollback goes to stays, however often the present revision was deployed again',
      withStore(async (store) => {
        await ended(store, 'oldest', { state: 'succeeded', sha: 'a' });
        await ended(store, 'before', { state: 'succeeded', sha: 'b' });
        // Nothing that one could roll back to.
        await ended(store, 'failed', { sha: 'x' });
        await ended(store, 'other lane', { state: 'succeeded', lane: 'x', sha: 'x' });
        await ended(store, 'other spec', { state: 'succeeded', spec: 'x', sha: 'x' });
        const again = Array.from({ length: 12 }, (_, index) => `again${index}`);
        for (const id of again) await ended(store, id, { state: 'succeeded', sha: 'c' });
        const last = await store.runs.get('again11');
        assert.ok(last);
        await store.environments.record(last, 1000);
        await store.retention.runs(OLD, 0, 100);
        assert.equal((await store.runs.lastSuccessBefore(last))?.id, 'before');
        assert.deepEqual(await present(store, ['oldest', 'again0', 'again1']), []);
      }),
    );

    test(
      'a run stays while a callback of it is to be sent, or was given up and may be sent again',
      withStore(async (store) => {
        await ended(store, 'pending', {}, 'pending');
        await ended(store, 'dead', {}, 'dead');
        await ended(store, 'sent', {}, 'sent');
        await ended(store, 'obsolete', {}, 'obsolete');
        await store.retention.runs(OLD, 0, 100);
        assert.deepEqual(await present(store, ['pending', 'dead', 'sent', 'obsolete']), [
          'pending',
          'dead',
        ]);
      }),
    );

    test(
      'what was sent after a callback that was given up stays, or the older could overwrite it (G5)',
      withStore(async (store) => {
        await ended(store, 'r1', {}, 'dead', 'same');
        await ended(store, 'r2', {}, 'sent', 'same');
        await store.retention.runs(OLD, 0, 100);
        assert.deepEqual(await present(store, ['r1', 'r2']), ['r1', 'r2']);
        const [dead] = await store.outbox.ofRun('r1');
        assert.ok(dead && (await store.outbox.revive(dead.id, 4000)));
        await store.retention.runs(OLD, 0, 100);
        assert.deepEqual(await present(store, ['r1', 'r2']), ['r1', 'r2'], 'it is sent again');
        await store.outbox.finish(dead.id, 'dead', 4000);
        assert.equal(await store.retention.deadCallbacks(2000, 100), 0);
        assert.equal(await store.retention.deadCallbacks(5000, 100), 1);
        await store.retention.runs(OLD, 0, 100);
        assert.deepEqual(await present(store, ['r1', 'r2']), []);
      }),
    );

    test(
      'old callbacks that were given up go, however many that were sent stand before them',
      withStore(async (store) => {
        for (const id of ['r1', 'r2', 'r3']) await ended(store, id, {}, 'sent');
        for (const id of ['r4', 'r5']) await ended(store, id, {}, 'dead');
        assert.equal(await store.retention.deadCallbacks(5000, 2), 2);
        assert.deepEqual((await store.outbox.list(ALL, { state: 'dead' })).items, []);
        assert.equal((await store.outbox.list(ALL, {})).items.length, 3);
      }),
    );

    test(
      'a batch looks at so many rows and no more, and says where the next one goes on',
      withStore(async (store) => {
        const ids = Array.from({ length: 7 }, (_, index) => `d${index}`);
        for (const id of ids) await processed(store, id, 1000);
        for (const id of ids) await ended(store, `run of ${id}`, {});
        const removed: number[] = [];
        for (let after: number | undefined = 0; after !== undefined;) {
          const batch = await store.retention.payloads(OLD, 9000, after, 3);
          removed.push(batch.removed);
          after = batch.last;
        }
        assert.deepEqual(removed, [3, 3, 1, 0]);
        assert.deepEqual(await store.retention.runs(OLD, 0, 3), { removed: 3, last: 3 });
        assert.equal(await store.retention.deliveries(2000, 3), 3);
      }),
    );

    test(
      'a snapshot goes when no run names it, unless a run has been made from it lately',
      withStore(async (store) => {
        const day = 86_400_000;
        for (const digest of ['used', 'unused', 'again', 'young']) {
          const at = digest === 'young' ? 9 * day : 1000;
          await store.snapshots.keep({ digest, name: 'x', file: 'x', text: digest }, at);
        }
        await store.runs.insert(sampleRun('r1', { specDigest: 'used' }), []);
        await store.snapshots.keep({ digest: 'again', name: 'x', file: 'x', text: '' }, 9 * day);
        assert.equal(await store.retention.snapshots(5 * day, 100), 1);
        assert.equal(await store.snapshots.get('unused'), undefined);
        assert.equal((await store.snapshots.get('again'))?.text, 'again');
        for (const digest of ['used', 'young']) assert.ok(await store.snapshots.get(digest));
      }),
    );

    test(
      'what operators did and where branches were goes when it is old, a limited number at once',
      withStore(async (store) => {
        for (const at of [1000, 1001, 1002, 6000]) {
          await store.audit.record({ at, actor: 'admin', action: 'x', subject: 'x', detail: '' });
          await store.pushes.record({
            repository: 'acme/storefront',
            ref: 'refs/heads/main',
            before: 'zero',
            found: false,
            toldBy: undefined,
            after: 'a',
            delivery: `d${at}`,
            seenAt: at,
          });
        }
        assert.equal(await store.retention.audit(5000, 2), 2);
        assert.equal(await store.retention.audit(5000, 2), 1);
        assert.deepEqual(
          (await audited(store, 10)).map(({ at }) => at),
          [6000],
        );
        assert.equal(await store.retention.pushes(5000, 2), 2);
        assert.equal(await store.retention.pushes(5000, 2), 1);
        const { pushes } = await store.pushes.history('acme/storefront', 'refs/heads/main');
        assert.deepEqual(
          pushes.map(({ delivery }) => delivery),
          ['d6000'],
        );
      }),
    );
  });
}

async function processed(store: Store, id: string, receivedAt: number): Promise<void> {
  await store.accept(sampleDelivery(id, { receivedAt, headers: '{"User-Agent":"x"}' }));
  assert.equal(await store.inbox.close(id, 'processed', OUTCOME, receivedAt), true);
}

/** A run that ended at 1000, with a step, ten pieces of log and a callback that was dealt with at 4000. */
async function ended(
  store: Store,
  id: string,
  more: Partial<NewRun>,
  callback: 'pending' | 'sent' | 'dead' | 'obsolete' = 'sent',
  target = `target of ${id}`,
): Promise<void> {
  await store.runs.insert(sampleRun(id, { state: 'failed', finishedAt: 1000, ...more }), ['Build']);
  const chunks = Array.from({ length: 10 }, (_, seq) => ({
    seq,
    at: 1,
    step: 0,
    stream: 'stdout' as const,
    text: 'x',
  }));
  await store.logs.append(id, chunks);
  await store.outbox.add(id, [{ target, callback: sampleStatus('success') }], 1000);
  const [entry] = await store.outbox.ofRun(id);
  assert.ok(entry);
  if (callback !== 'pending') await store.outbox.finish(entry.id, callback, 4000);
}

async function whole(store: Store, ids: readonly string[]): Promise<string[]> {
  const found = await Promise.all(ids.map((id) => store.inbox.get(id)));
  return ids.filter((_, index) => found[index]?.payload !== '');
}

async function present(store: Store, ids: readonly string[]): Promise<string[]> {
  const found = await Promise.all(ids.map((id) => store.runs.get(id)));
  return ids.filter((_, index) => found[index] !== undefined);
}
