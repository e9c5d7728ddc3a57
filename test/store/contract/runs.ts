import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Run, Step } from '../../../src/model/run.ts';
import type { Store } from '../../../src/store/index.ts';
import type { RunFilter } from '../../../src/store/runs.ts';
import type { WithStore } from '../contract.ts';
import { sampleRun } from '../samples.ts';
import { walkPages } from './walk-pages.ts';

export function runsContract(withStore: WithStore): void {
  describe('making runs', () => {
    test(
      'a run comes back as it was made, with its place in the order',
      withStore(async (store) => {
        const planned = sampleRun('r1', { tag: 'v1', branch: undefined, outputs: { url: 'ü' } });
        const run = await store.runs.insert(planned, []);
        assert.ok(run);
        const { sequence, ...rest } = run;
        assert.deepEqual(rest, planned);
        assert.deepEqual(await store.runs.get('r1'), run);
        const next = await store.runs.insert(sampleRun('r2'), []);
        assert.ok(next && next.sequence > sequence);
        assert.equal(await store.runs.get('unknown'), undefined);
      }),
    );

    test(
      'a delivery makes one run of a spec, whatever is retried (G2)',
      withStore(async (store) => {
        const event = { delivery: 'd1', spec: 'storefront', cause: 'event' } as const;
        assert.ok(await store.runs.insert(sampleRun('r1', event), ['Build']));
        assert.equal(await store.runs.insert(sampleRun('r2', event), ['Build']), undefined);
        assert.deepEqual(await store.steps.ofRun('r2'), []);
        assert.ok(await store.runs.insert(sampleRun('r3', { ...event, spec: 'other' }), []));
        assert.deepEqual(await idsOf(store, { delivery: 'd1' }), ['r3', 'r1']);
      }),
    );

    test(
      'an operator may make more runs of one delivery and spec',
      withStore(async (store) => {
        const event = { delivery: 'd1', spec: 'storefront' } as const;
        await store.runs.insert(sampleRun('r1', event), []);
        for (const cause of ['retry', 'replay', 'rollback', 'retry'] as const) {
          assert.ok(
            await store.runs.insert(sampleRun(`${cause}${Math.random()}`, { ...event, cause }), []),
          );
        }
        assert.equal((await idsOf(store, { delivery: 'd1' })).length, 5);
      }),
    );

    test(
      'its steps stand in their order, all pending, also where two have the same name',
      withStore(async (store) => {
        await store.runs.insert(sampleRun('r1'), ['Build', 'Smoke', 'Build']);
        const pending = {
          state: 'pending',
          attempts: 0,
          exitCode: undefined,
          kept: undefined,
          reason: '',
          startedAt: undefined,
          finishedAt: undefined,
        };
        assert.deepEqual(await store.steps.ofRun('r1'), [
          { index: 0, name: 'Build', ...pending },
          { index: 1, name: 'Smoke', ...pending },
          { index: 2, name: 'Build', ...pending },
        ]);
      }),
    );
  });

  describe('revisions that were left behind', () => {
    test(
      'are those that events brought between a revision and the run by hand that went back to it',
      withStore(async (store) => {
        const shas = ['one', 'two', 'one', 'three', 'four', 'three'];
        for (const [index, sha] of shas.entries()) await insert(store, `e${index}`, { sha });
        await insert(store, 'elsewhere', { sha: 'x', lane: 'other' });
        await insert(store, 'otherwise', { sha: 'y', spec: 'docs' });
        await insert(store, 'by hand', { sha: 'z', cause: 'retry' });
        await insert(store, 'back', { sha: 'one', cause: 'rollback' });
        await insert(store, 'later', { sha: 'five' });
        assert.deepEqual(await store.runs.leftBehind('back'), ['three', 'four']);
        assert.deepEqual(await store.runs.leftBehind('later'), []);
        assert.deepEqual(await store.runs.leftBehind('unknown'), []);
        await insert(store, 'newest again', { sha: 'five', cause: 'retry' });
        assert.deepEqual(await store.runs.leftBehind('newest again'), []);
      }),
    );

    test(
      'are the newest of many',
      withStore(async (store) => {
        await insert(store, 'first', { sha: 'first' });
        for (let index = 0; index < 30; index += 1) {
          await insert(store, `e${index}`, { sha: `sha ${index}` });
        }
        await insert(store, 'back', { sha: 'first', cause: 'rollback' });
        const left = await store.runs.leftBehind('back');
        assert.deepEqual([left.length, left[0], left.at(-1)], [20, 'sha 29', 'sha 10']);
      }),
    );
  });

  test(
    'a run that has ended is overtaken when its environment has a newer one, and in no other case',
    withStore(async (store) => {
      const insertAll = async (...ids: string[]) => {
        for (const id of ids) await insert(store, id, { state: 'succeeded' });
      };
      await insertAll('older');
      await insert(store, 'waiting');
      await insert(store, 'elsewhere', { state: 'succeeded', lane: 'other' });
      await insert(store, 'otherwise', { state: 'succeeded', spec: 'docs' });
      await insertAll('deployed', 'newer');
      const ids = ['older', 'waiting', 'elsewhere', 'otherwise', 'deployed', 'newer', 'unknown'];
      assert.deepEqual([...(await store.runs.overtaken(ids))], []);
      const deployed = await store.runs.get('deployed');
      assert.ok(deployed);
      await store.environments.record(deployed, 2000);
      assert.deepEqual([...(await store.runs.overtaken(ids))], ['older']);
      assert.deepEqual([...(await store.runs.overtaken([]))], []);
    }),
  );

  describe('changing runs', () => {
    test(
      'the database itself refuses a second running run in a lane (G3)',
      withStore(async (store) => {
        const first = await insert(store, 'r1');
        const second = await insert(store, 'r2');
        const elsewhere = await insert(store, 'r3', { lane: 'other' });
        const moved = await insert(store, 'r4', { lane: 'moved', environment: 'production' });
        const event = 'deployment_protection_rule';
        const job = await insert(store, 'r5', { lane: 'job', environment: 'production', event });
        await start(store, first);
        await start(store, elsewhere);
        await start(store, job);
        await assert.rejects(start(store, second));
        await assert.rejects(start(store, moved), 'its lane has changed meanwhile');
        assert.equal((await store.runs.get('r2'))?.state, 'queued');
        await store.runs.update({ ...first, state: 'succeeded' }, { state: 'running' });
        await start(store, second);
      }),
    );

    test(
      'a run is changed only in the state that it is expected in, and keeps what was written',
      withStore(async (store) => {
        const run = await insert(store, 'r1');
        const started = {
          ...run,
          state: 'running',
          attempts: 1,
          startedAt: 2000,
          reason: 'Running',
        } as const;
        assert.equal(await store.runs.update(started, { state: 'queued' }), true);
        assert.equal(await store.runs.update(started, { state: 'queued' }), false);
        assert.deepEqual(await store.runs.get('r1'), started);
        const failed = {
          ...started,
          state: 'failed',
          fault: 'mainsheet',
          outputs: { url: 'x' },
          finishedAt: 3000,
        } as const;
        assert.equal(await store.runs.update(failed, { state: 'running' }), true);
        assert.deepEqual(await store.runs.get('r1'), failed);
      }),
    );

    test(
      'only a running run can be asked to stop, the first reason stays, and later writes keep it',
      withStore(async (store) => {
        const run = await insert(store, 'r1');
        assert.equal(await store.runs.requestCancel('r1', 'too early'), false);
        await start(store, run);
        assert.equal(await store.runs.requestCancel('r1', 'Cancelled by admin'), true);
        assert.equal(await store.runs.requestCancel('r1', 'again'), false);
        assert.equal((await store.runs.get('r1'))?.cancelRequested, 'Cancelled by admin');
        // The runner read the run before it was asked to stop.
        await store.runs.update({ ...run, state: 'succeeded' }, { state: 'running' });
        assert.equal((await store.runs.get('r1'))?.cancelRequested, 'Cancelled by admin');
        assert.equal(await store.runs.requestCancel('unknown', ''), false);
      }),
    );

    test(
      'steps, outputs and the id of the deployment are kept',
      withStore(async (store) => {
        await store.runs.insert(sampleRun('r1'), ['Build', 'Smoke']);
        const smoke: Step = {
          index: 1,
          name: 'Smoke',
          state: 'failed',
          attempts: 3,
          exitCode: 7,
          kept: undefined,
          reason: 'exit code 7',
          startedAt: 2000,
          finishedAt: 3000,
        };
        await store.steps.update('r1', smoke);
        const [build, second] = await store.steps.ofRun('r1');
        assert.equal(build?.state, 'pending');
        assert.deepEqual(second, smoke);

        const outputs = { url: 'https://shop.example', empty: '' };
        await store.runs.setOutputs('r1', { outputs, masked: [], sealed: undefined });
        const kept = await store.runs.get('r1');
        assert.deepEqual(kept?.outputs, outputs);
        assert.equal(kept?.maskedOutputs, undefined);

        await store.runs.setOutputs('r1', { outputs, masked: ['url'], sealed: 'a seal' });
        const masked = await store.runs.get('r1');
        assert.deepEqual(masked?.maskedOutputs, ['url']);
        assert.equal(await store.runs.sealedOutputs('r1'), 'a seal');
        await store.runs.update({ ...masked, state: 'cancelled' }, { state: 'queued' });
        assert.equal(
          await store.runs.sealedOutputs('r1'),
          undefined,
          'forgotten when it has ended',
        );
        assert.deepEqual((await store.runs.get('r1'))?.maskedOutputs, ['url']);
      }),
    );
  });

  describe('looking at runs', () => {
    test(
      'the list is newest first and takes each filter alone and together',
      withStore(async (store) => {
        await insert(store, 'r1', { repository: 'Acme/Storefront', sha: 'f'.repeat(40) });
        await insert(store, 'r2', { lane: 'other', spec: 'docs', state: 'failed' });
        await insert(store, 'r3', { delivery: 'd3', spec: 'docs', repository: 'acme/docs' });
        const filters: [RunFilter, string[]][] = [
          [{}, ['r3', 'r2', 'r1']],
          [{ spec: 'docs' }, ['r3', 'r2']],
          [{ state: 'failed' }, ['r2']],
          [{ lane: 'other' }, ['r2']],
          [{ delivery: 'd3' }, ['r3']],
          [{ sha: 'f'.repeat(40) }, ['r1']],
          [{ repository: 'acme/STOREFRONT' }, ['r2', 'r1']],
          [{ spec: 'docs', state: 'queued' }, ['r3']],
          [{ spec: undefined, state: undefined }, ['r3', 'r2', 'r1']],
          [{ spec: 'docs', lane: 'unknown' }, []],
        ];
        for (const [filter, ids] of filters) assert.deepEqual(await idsOf(store, filter), ids);
      }),
    );

    test(
      'pages of runs stay where they are when new ones come in between',
      withStore(async (store) => {
        for (const id of ['r1', 'r2', 'r3', 'r4']) await insert(store, id);
        const pages = await walkPages(
          (request) => store.runs.list(request, { spec: 'storefront' }),
          () => insert(store, `new ${Math.random()}`),
        );
        assert.deepEqual(
          pages.map((page) => page.map(({ id }) => id)),
          [
            ['r4', 'r3'],
            ['r2', 'r1'],
          ],
        );
      }),
    );

    test(
      'what is active in a lane is oldest first and has not ended',
      withStore(async (store) => {
        await insert(store, 'r1', { state: 'succeeded' });
        await insert(store, 'r2', { state: 'running' });
        await insert(store, 'r3', { state: 'blocked' });
        await insert(store, 'r4');
        await insert(store, 'r5', { lane: 'other' });
        const active = await store.runs.active('main');
        assert.deepEqual(
          active.map(({ id }) => id),
          ['r2', 'r3', 'r4'],
        );
        assert.deepEqual(
          (await store.runs.allActive()).map(({ id }) => id),
          ['r2', 'r3', 'r4', 'r5'],
        );
        const place = { spec: 'storefront', lane: 'main', environment: 'other' };
        const at = async (more: Partial<typeof place> = {}) =>
          (await store.runs.activeAt({ ...place, ...more })).map(({ id }) => id);
        assert.deepEqual(await at(), ['r2', 'r3', 'r4', 'r5']);
        assert.deepEqual(await at({ lane: 'moved' }), ['r5']);
        assert.deepEqual(await at({ spec: 'unknown' }), []);
        await insert(store, 'r6', { environment: 'other', event: 'deployment_protection_rule' });
        assert.deepEqual(await at({ lane: 'moved' }), ['r5'], 'a job of Actions deploys nothing');
        await store.runs.update({ ...(await store.runs.get('r6')), state: 'cancelled' } as Run, {
          state: 'queued',
        });
        assert.deepEqual(await store.runs.countOpen(), {
          running: 1,
          blocked: 1,
          queued: 2,
        });
      }),
    );

    test(
      'what is under way is the newest of each spec in each state, and what runs or is blocked however many came after it',
      withStore(async (store) => {
        const other = { spec: 'other', lane: 'other' };
        await insert(store, 'r1', { state: 'running' });
        await insert(store, 'r2', { state: 'blocked' });
        for (const id of ['r3', 'r4', 'r5']) await insert(store, id);
        await insert(store, 'r6', { state: 'failed' });
        for (const id of ['r7', 'r8']) await insert(store, id, other);
        const told = async (each: number, most: number) => {
          const { runs, more, isCut } = await store.runs.underWay({ each, most });
          return [runs.map(({ id }) => id).join(' '), [...more].join(' '), isCut];
        };
        assert.deepEqual(await told(2, 7), ['r8 r7 r5 r4 r2 r1', 'storefront', false]);
        assert.deepEqual(await told(3, 7), ['r8 r7 r5 r4 r3 r2 r1', '', false]);
        assert.deepEqual(await told(3, 3), ['r8 r7 r5 r2 r1', '', true]);
        const [newest] = (await store.runs.underWay({ each: 1, most: 1 })).runs;
        assert.deepEqual(newest, await store.runs.get('r8'));
      }),
    );

    test(
      'the last success before a run is the newest older one of its spec, lane, repository and another revision',
      withStore(async (store) => {
        const succeeded = (id: string, more: Partial<Run>) =>
          insert(store, id, { state: 'succeeded', ...more });
        const { repository } = await succeeded('r1', { sha: 'old' });
        await store.repositories.see(1, 'acme/Formerly', 1);
        await store.repositories.see(1, repository, 2);
        await store.repositories.see(2, 'acme/closed', 1);
        await succeeded('r2', { sha: 'good', repository: 'acme/Formerly' });
        await succeeded('r2b', { sha: 'of another', repository: 'acme/closed' });
        await succeeded('r3', { sha: 'same' });
        await succeeded('r4', { sha: 'elsewhere', lane: 'other' });
        await succeeded('r5', { sha: 'another spec', spec: 'docs' });
        await insert(store, 'r6', { sha: 'broken', state: 'failed' });
        const run = await insert(store, 'r7', { sha: 'same', state: 'failed' });
        await succeeded('r8', { sha: 'newer' });
        assert.equal((await store.runs.lastSuccessBefore(run))?.id, 'r2');
        const first = await store.runs.get('r1');
        assert.ok(first);
        assert.equal(await store.runs.lastSuccessBefore(first), undefined);
      }),
    );
  });
}

async function insert(store: Store, id: string, more: Partial<Run> = {}): Promise<Run> {
  const run = await store.runs.insert(sampleRun(id, more), []);
  assert.ok(run);
  return run;
}

async function start(store: Store, run: Run): Promise<void> {
  assert.ok(await store.runs.update({ ...run, state: 'running' }, { state: 'queued' }));
}

async function idsOf(store: Store, filter: RunFilter): Promise<string[]> {
  const { items } = await store.runs.list({ limit: 100, before: undefined }, filter);
  return items.map(({ id }) => id);
}
