import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LogChunk } from '../../../src/store/logs.ts';
import type { WithStore } from '../contract.ts';
import { withOrigin } from '../../../src/lib/origin.ts';
import type { NewRun } from '../../../src/model/run.ts';
import type { AuditFilter } from '../../../src/store/audit.ts';
import { decodeCursor } from '../../../src/store/page.ts';
import { sampleDelivery, sampleRun } from '../samples.ts';
import { audited } from '../../support/audited.ts';

const chunk = (seq: number, text = `line ${seq}\n`): LogChunk => ({
  seq,
  at: 1000 + seq,
  step: -1,
  stream: 'stdout',
  text,
});

export function recordsContract(withStore: WithStore): void {
  test(
    'repositories that have runs are told once each, however they are spelled, and at most so many',
    withStore(async ({ runs }) => {
      assert.deepEqual(await runs.repositories(10), []);
      for (const [id, repository] of [
        ['1', 'acme/shop'],
        ['2', 'Acme/Shop'],
        ['3', 'acme/api'],
        ['4', 'zeta/x'],
      ] as const) {
        await runs.insert(sampleRun(id, { repository }), []);
      }
      assert.deepEqual(await runs.repositories(10), ['acme/api', 'acme/shop', 'zeta/x']);
      assert.deepEqual(await runs.repositories(2), ['acme/api', 'acme/shop']);
    }),
  );

  test(
    'of the audit and of past deliveries a person is told what they see',
    withStore(async (store) => {
      for (const [id, repository] of [
        ['open', 'Acme/Shop'],
        ['closed', 'acme/secret'],
      ] as const) {
        await store.accept(sampleDelivery(id, { repository }));
        await store.inbox.close(id, 'processed', { summary: '', specs: [] }, 1);
        await store.runs.insert(sampleRun(`${id}-run`, { repository }), []);
        for (const [action, subject] of [
          ['run.retry', `${id}-run`],
          ['delivery.replay', id],
          ['spec.pause', `${id}-spec`],
          ['lane.pause', `${id}-lane`],
        ] as const) {
          const whose = action.startsWith('spec.') ? { repository } : {};
          await store.audit.record({
            at: 1,
            actor: 'admin',
            action,
            subject,
            detail: '',
            ...whose,
          });
        }
      }
      // From before it was written down whose the spec was, or when it was another's.
      const renamed = {
        at: 1,
        actor: 'admin',
        action: 'spec.pause',
        subject: 'open-spec',
        detail: '',
      };
      await store.audit.record(renamed);
      await store.audit.record({ ...renamed, repository: 'acme/secret' });
      const seen = ['acme/shop'];
      const request = { limit: 10, before: undefined };
      const { items } = await store.audit.search(request, { seen });
      const told = items.map(({ subject }) => subject);
      assert.deepEqual(told, ['open-spec', 'open', 'open-run']);
      const nothing = { seen: [] };
      assert.deepEqual((await store.audit.search(request, nothing)).items, []);
      assert.equal((await audited(store, 10)).length, 10);
      const past = async (visible?: string[]) =>
        (await store.pastDeliveries.after(0, 0, 10, visible)).map(({ id }) => id);
      assert.deepEqual(await past(), ['open', 'closed']);
      assert.deepEqual(await past(['acme/shop']), ['open']);
      assert.deepEqual(await past([]), []);
    }),
  );

  test(
    'the runs that ended within a range are told of with their push and how long their steps took',
    withStore(async (store) => {
      await store.accept(sampleDelivery('d1'));
      const times = { startedAt: 3000, finishedAt: 9000 };
      await store.runs.insert(
        sampleRun('r1', { ...times, createdAt: 2000, delivery: 'd1', state: 'succeeded' }),
        ['Build'],
      );
      const [step] = await store.steps.ofRun('r1');
      assert.ok(step);
      await store.steps.update('r1', { ...step, ...times, state: 'succeeded' });
      const filter = { spec: 'storefront', environment: 'production' };
      const { runs } = await store.insights.runs({ from: 9000, to: 9001 }, filter);
      assert.deepEqual(
        runs.map(({ id, delivery, finishedAt }) => [id, delivery, finishedAt]),
        [['r1', 'd1', 9000]],
      );
      assert.deepEqual([...(await store.insights.pushTimes(['d1', 'd2']))], [['d1', 1000]]);
      assert.deepEqual((await store.insights.runs({ from: 0, to: 9000 }, filter)).runs, []);
      // It was made later and has ended earlier.
      const early = { finishedAt: 8000, delivery: 'd2', state: 'failed' } as const;
      await store.runs.insert(sampleRun('r2', early), []);
      assert.deepEqual(
        (await store.insights.runs({ from: 8000, to: 9001 }, filter)).runs.map(({ id }) => id),
        ['r1', 'r2'],
      );
      const { before } = await store.insights.runs({ from: 9000, to: 9001 }, filter);
      assert.deepEqual(
        before.map(({ id }) => id),
        ['r2'],
      );
      const visible = { visible: ['acme/other'] };
      assert.deepEqual((await store.insights.runs({ from: 0, to: 9001 }, visible)).runs, []);
      assert.deepEqual(await store.insights.steps(['r1']), [
        { spec: 'storefront', step: 'Build', took: 6000 },
      ]);
      assert.equal((await store.insights.pushes(['d1', 'd2'])).length, 1);
    }),
  );

  test(
    'a commit was live before where a run of it succeeded earlier in the same lane of the same environment',
    withStore(async (store) => {
      const add = (id: string, more: Partial<NewRun>) =>
        store.runs.insert(sampleRun(id, { state: 'succeeded', finishedAt: 1000, ...more }), []);
      await add('first', {});
      await add('again', { finishedAt: 2000 });
      for (const [id, more] of [
        ['sha', { sha: 'c'.repeat(40) }],
        ['spec', { spec: 'other' }],
        ['lane', { lane: 'other' }],
        ['environment', { environment: 'other' }],
      ] as const) {
        await add(`${id} 1`, { ...more, finishedAt: 3000 });
      }
      const lane = { lane: 'broken' };
      await add('failed', { ...lane, state: 'failed' });
      await add('taken down', { ...lane, event: 'teardown' });
      await add('at last', { ...lane, finishedAt: 4000 });
      const { runs } = await store.insights.runs({ from: 0, to: 9000 }, {});
      const found = await store.insights.liveBefore(runs.map(({ id }) => id));
      assert.deepEqual([...found], ['again']);
    }),
  );

  test(
    "a run's log is read in order, from any place on, in bounded pieces",
    withStore(async (store) => {
      assert.equal(await store.logs.nextSeq('r1'), 0);
      await store.logs.append('r1', []);
      await store.logs.append('r1', [chunk(0), chunk(1, '☃ no end of line')]);
      await store.logs.append('r2', [chunk(0, 'another run\n')]);
      await store.logs.append('r1', [chunk(2)]);
      assert.equal(await store.logs.nextSeq('r1'), 3);
      assert.deepEqual(await store.logs.read('r1', -1, 2), [
        chunk(0),
        chunk(1, '☃ no end of line'),
      ]);
      assert.deepEqual(await store.logs.read('r1', 1, 100), [chunk(2)]);
      assert.deepEqual(await store.logs.read('r1', 2, 100), []);
    }),
  );

  test(
    'a character that PostgreSQL cannot keep is replaced in a log, on every engine alike',
    withStore(async (store) => {
      await store.logs.append('r1', [chunk(0, 'a\0b\0')]);
      assert.deepEqual(await store.logs.read('r1', -1, 9), [chunk(0, 'a\uFFFDb\uFFFD')]);
    }),
  );

  test(
    'a place in a log is written once',
    withStore(async (store) => {
      await store.logs.append('r1', [chunk(0)]);
      await assert.rejects(store.logs.append('r1', [chunk(1), chunk(0, 'other')]));
      assert.deepEqual(await store.logs.read('r1', -1, 100), [chunk(0)]);
    }),
  );

  test(
    'an environment holds what was deployed there last, for each spec of a lane',
    withStore(async (store) => {
      const run = { ...sampleRun('r1', { sha: 'one' }), sequence: 1 };
      await store.environments.record(run, 1000);
      await store.environments.record({ ...run, id: 'r2', sha: 'two' }, 2000);
      await store.environments.record({ ...run, id: 'r3', spec: 'docs' }, 3000);
      const deployed = {
        lane: 'main',
        spec: 'storefront',
        environment: 'production',
        repository: 'acme/storefront',
        run: 'r2',
        sha: 'two',
        ref: 'refs/heads/main',
        deployedAt: 2000,
      };
      const { spec, environment } = run;
      const get = (lane: string, of = spec, at = environment) =>
        store.environments.get({ spec: of, lane, environment: at });
      assert.deepEqual(await get('main'), deployed);
      assert.deepEqual(await get('main', spec, 'renamed'), deployed);
      assert.deepEqual(await get('another'), deployed);
      assert.equal(await get('another', spec, 'staging'), undefined);
      assert.equal(await get('main', 'unknown'), undefined);
      assert.deepEqual(await store.environments.list(), [
        { ...deployed, spec: 'docs', run: 'r3', sha: 'one', deployedAt: 3000 },
        deployed,
      ]);
      await store.environments.record({ ...run, id: 'r4', lane: 'staging' }, 4000);
      await store.environments.remove({ ...run, lane: 'changed meanwhile' });
      assert.deepEqual(
        (await store.environments.list()).map((place) => place.run),
        ['r3'],
      );
    }),
  );

  test(
    'a snapshot is kept once, as it was first',
    withStore(async (store) => {
      const snapshot = { digest: 'abc', name: 'storefront', file: 'a.yaml', text: 'name: ☃\n' };
      await store.snapshots.keep(snapshot, 1000);
      await store.snapshots.keep({ ...snapshot, file: 'moved.yaml' }, 2000);
      assert.deepEqual(await store.snapshots.get('abc'), snapshot);
      assert.equal(await store.snapshots.get('unknown'), undefined);
    }),
  );

  test(
    'what operators did is listed newest first',
    withStore(async (store) => {
      const entry = { at: 1, actor: 'admin', action: 'run.cancel', subject: 'r1', detail: '' };
      await store.audit.record(entry);
      await store.audit.record({ ...entry, at: 2, action: 'run.retry' });
      assert.deepEqual(await audited(store, 10), [
        { ...entry, at: 2, action: 'run.retry', origin: undefined },
        { ...entry, origin: undefined },
      ]);
      assert.equal((await audited(store, 1)).length, 1);
    }),
  );

  test(
    'what operators did is found by who, what and to what, page by page, with where they were',
    withStore(async (store) => {
      const entry = { at: 1, actor: 'admin', action: 'run.cancel', subject: 'r1', detail: '' };
      await withOrigin('dashboard from 192.0.2.7', () => store.audit.record(entry));
      await store.audit.record({ ...entry, at: 2, action: 'run.retry' });
      await store.audit.record({ ...entry, at: 3, actor: 'github:eve' });
      await store.audit.record({ ...entry, at: 4, subject: 'r2' });
      const found = async (filter: AuditFilter, request = { limit: 9, before: undefined }) =>
        (await store.audit.search(request, filter)).items.map(({ at }) => at);
      assert.deepEqual(await found({}), [4, 3, 2, 1]);
      assert.deepEqual(await found({ actor: 'admin' }), [4, 2, 1]);
      assert.deepEqual(await found({ action: 'run.cancel', subject: 'r1' }), [3, 1]);
      assert.deepEqual(await found({ seen: [] }), []);
      const { items, next } = await store.audit.search({ limit: 3, before: undefined }, {});
      assert.deepEqual(
        items.map(({ origin }) => origin),
        [undefined, undefined, undefined],
      );
      const rest = { limit: 3, before: decodeCursor(next ?? '') };
      assert.deepEqual((await store.audit.search(rest, {})).items, [
        { ...entry, origin: 'dashboard from 192.0.2.7' },
      ]);
    }),
  );

  test(
    'a store that is open answers a ping, one that is closed does not',
    withStore(async (store) => {
      await store.ping();
      await store.close();
      await assert.rejects(store.ping());
    }),
  );
}
