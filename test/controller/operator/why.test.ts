import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createWhy } from '../../../src/controller/operator/why.ts';
import type { DeliveryOutcome } from '../../../src/model/delivery.ts';
import { parseSpecs } from '../../../src/spec/load.ts';
import type { Store } from '../../../src/store/index.ts';
import { pushPayload } from '../../commands/payloads.ts';
import { sampleDelivery, sampleRun } from '../../store/samples.ts';
import { bothEngines } from '../../support/engines.ts';

const SHA = 'a'.repeat(40);
const NEXT = 'c'.repeat(40);

const SPECS = parseSpecs(
  'specs.yaml',
  `
name: storefront
repository: acme/storefront
environment: production
on: { push: { branches: [main] } }
steps: [{ run: 'true' }]
`,
).specs;

function setUp(store: Store) {
  const why = createWhy({
    store,
    catalog: { forRepository: (name) => (name === 'acme/storefront' ? SPECS : []) },
  });
  return {
    store,
    /** What is said of the only spec. */
    async ask(sha = SHA.slice(0, 7)) {
      const [only, ...others] = await why('acme/storefront', sha);
      assert.ok(only);
      assert.deepEqual(others, []);
      return [only.fate, only.summary, only.hint ?? ''].join(' | ');
    },
    why,
    async came(payload: object, outcome: DeliveryOutcome) {
      await store.accept(sampleDelivery('d1', { payload: JSON.stringify(payload) }));
      await store.inbox.close('d1', 'processed', outcome, 2000);
    },
    async ran(id: string, more: Parameters<typeof sampleRun>[1]) {
      const run = await store.runs.insert(sampleRun(id, more), []);
      assert.ok(run);
      return run;
    },
  };
}

for (const [engine, open] of bothEngines()) {
  describe(`why on ${engine}`, () => {
    test('what is deployed is live, and says that it was replaced afterwards', async (t) => {
      const { store, ask, ran } = setUp(await open(t));
      const run = await ran('r1', { sha: SHA, state: 'succeeded' });
      await store.environments.record(run, 1000);
      assert.match(await ask(), /^live \| Deployed to production by run r1/);
      const later = await ran('r2', { sha: NEXT, state: 'succeeded' });
      await store.environments.record(later, 2000);
      assert.match(await ask(), /^replaced \| .* replaced by ccccccc \(run r2\) \| .*rollback/);
      const back = await ran('r3', { sha: NEXT, state: 'succeeded', cause: 'rollback' });
      await store.runs.setAskedBy(back.id, 'hook:alert');
      await store.environments.record(back, 3000);
      assert.match(await ask(), /then rolled back to ccccccc by hook:alert \(run r3\)/);
    });

    test('a run that did not get there says why, unless another has deployed the commit', async (t) => {
      const { store, ask, ran } = setUp(await open(t));
      await ran('r1', { sha: SHA, state: 'failed', reason: 'Build failed: exit code 1' });
      assert.match(await ask(), /^failed \| Run r1 failed: Build failed.* \| .*mainsheet retry r1/);
      const again = await ran('r2', { sha: SHA, state: 'succeeded' });
      await store.environments.record(again, 2000);
      await ran('r3', { sha: SHA, state: 'superseded', reason: 'it is deployed already' });
      assert.match(await ask(), /^live \| .* by run r2/);
    });

    test('what waits says what for', async (t) => {
      const { ask, ran } = setUp(await open(t));
      await ran('r1', { sha: SHA, state: 'blocked', reason: 'Paused by admin' });
      assert.match(await ask(), /^waiting \| Run r1 is blocked: Paused by admin \| .*pauses/);
      await ran('r2', { sha: SHA, state: 'blocked', reason: 'Waiting for 1 approval by alice' });
      assert.match(await ask(), /Waiting for 1 approval by alice \| "mainsheet approve r2"/);
      await ran('r3', { sha: SHA, state: 'blocked', reason: 'Frozen (2026-12-24): opens' });
      assert.match(await ask(), /Frozen .* \| "mainsheet override r3 --reason <text>"/);
    });

    test('the condition that did not hold is named', async (t) => {
      const { came, ask } = setUp(await open(t));
      const verdict = {
        matched: false,
        reasons: [
          { condition: 'repository', held: true, detail: 'it is' },
          { condition: 'on.push.branches', held: false, detail: 'next does not match main' },
        ],
      };
      await came(pushPayload({ branch: 'next' }), {
        summary: '',
        specs: [{ spec: 'storefront', verdict, run: undefined }],
      });
      assert.match(await ask(), /^not-matched \| on\.push\.branches did not hold: next does not/);
    });

    test('a commit below the newest of its push is told of that one', async (t) => {
      const { came, ask } = setUp(await open(t));
      const payload = pushPayload({ sha: NEXT });
      payload.commits.unshift({ ...payload.head_commit, id: SHA });
      await came(payload, { summary: '', specs: [] });
      assert.match(await ask(), /^not-newest \| It was pushed together with ccccccc/);
    });

    test('of a spec that deploys pull requests it is not said how to deploy by hand', async (t) => {
      const store = await open(t);
      const { specs } = parseSpecs(
        'specs.yaml',
        "name: look\nrepository: acme/storefront\non: { pull_request: {} }\nsteps: [{ run: 'true' }]\nteardown: [{ run: 'true' }]\n",
      );
      const why = createWhy({ store, catalog: { forRepository: () => specs } });
      const [only] = await why('acme/storefront', SHA);
      assert.match(only?.hint ?? '', /"mainsheet doctor"; push to the pull request$/);
    });

    test('a request to a hook that names a commit says which condition of the spec did not hold', async (t) => {
      const store = await open(t);
      const { specs } = parseSpecs(
        'specs.yaml',
        "name: shop\nrepository: acme/storefront\non: { hook: { id: ci } }\nsteps: [{ run: 'true' }]\n",
      );
      const why = createWhy({ store, catalog: { forRepository: () => specs } });
      const hooked = async (id: string, event: string, held: boolean) => {
        const body = { hook: 'ci', type: null, inputs: {}, body: { commit: SHA } };
        const queue = { repository: undefined, queue: event };
        await store.accept(sampleDelivery(id, { event, ...queue, payload: JSON.stringify(body) }));
        const reasons = [{ condition: 'on.hook.if', held, detail: 'body.green is false' }];
        const verdict = { matched: held, reasons };
        const decided = { spec: 'shop', verdict, run: held ? 'r9' : undefined };
        await store.inbox.close(id, 'processed', { summary: '', specs: [decided] }, 2000);
      };
      await hooked('other.1', 'hook:other', false);
      assert.equal((await why('acme/storefront', SHA))[0]?.fate, 'never-heard-of');
      await hooked('ci.1', 'hook:ci', false);
      const [no] = await why('acme/storefront', SHA);
      assert.deepEqual([no?.fate, no?.delivery], ['not-matched', 'ci.1']);
      assert.equal(no?.summary, 'on.hook.if did not hold: body.green is false');
      await hooked('ci.2', 'hook:ci', true);
      const [yes] = await why('acme/storefront', SHA);
      assert.match(
        yes?.summary ?? '',
        /ci\.2 of a hook names it, and made run r9 of another commit/,
      );
    });

    test('a commit that no delivery has named was never heard of, also when it is what a push began at', async (t) => {
      const { came, ask } = setUp(await open(t));
      await came({ ...pushPayload({ sha: NEXT }), before: SHA }, { summary: '', specs: [] });
      assert.match(await ask(), /^never-heard-of \| .* \| .*mainsheet doctor/);
      assert.match(await ask('bbbbbbb'), /^never-heard-of/);
    });

    test('what is no commit is refused with what to give', async (t) => {
      const { why } = setUp(await open(t));
      await assert.rejects(why('acme/storefront', 'main'), { code: 'bad-commit' });
      await assert.rejects(why('acme/storefront', 'aaaaaa'), { code: 'bad-commit' });
      await assert.rejects(why('acme', SHA), { code: 'invalid-repository' });
      assert.deepEqual(await why('acme/other', SHA), []);
    });
  });
}
