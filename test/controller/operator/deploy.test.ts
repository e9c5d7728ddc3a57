import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { createDeploy } from '../../../src/controller/operator/deploy.ts';
import { createBroadcast } from '../../../src/lib/broadcast.ts';
import type { DeploymentSpec } from '../../../src/model/deployment-spec.ts';
import type { News } from '../../../src/model/news.ts';
import { createTransitions } from '../../../src/runs/transition.ts';
import type { NewRun } from '../../../src/model/run.ts';
import { sampleLoaded } from '../../runs/samples.ts';
import { sampleRun } from '../../store/samples.ts';
import { bothEngines } from '../../support/engines.ts';
import { audited } from '../../support/audited.ts';

const NOW = Date.UTC(2026, 0, 2, 3, 4, 5);
const SHA = 'd'.repeat(40);
const PERSON = { name: 'A', email: 'a@example.com' };
const PUSH = { branchesIgnore: [], tags: [], tagsIgnore: [], paths: [], pathsIgnore: [] };

for (const [engine, open] of bothEngines()) {
  describe(`deploying by hand on ${engine}`, () => {
    async function setUp(t: TestContext, more: Partial<DeploymentSpec> = {}) {
      const store = await open(t);
      const push = { ...PUSH, branches: ['main'] };
      const loaded = sampleLoaded({
        on: { push, release: undefined, workflowRun: undefined },
        ...more,
      });
      const clock = { now: () => NOW, elapsed: () => NOW, sleep: async () => undefined };
      const news = createBroadcast<News>();
      const transitions = createTransitions({
        store,
        specOf: async () => loaded.spec,
        clock,
        news,
        publicUrl: undefined,
        feedback: 'app',
      });
      const create = (id: string, run: Partial<NewRun> = {}) =>
        store.atomically((tables) => transitions.create(tables, sampleRun(id, run), loaded));
      /** What git is asked for; `meanwhile` happens before it answers. */
      const asked: (string | undefined)[] = [];
      let meanwhile: () => Promise<unknown> = async () => undefined;
      const deploy = createDeploy({
        store,
        catalog: { byName: (name) => (name === 'storefront' ? loaded : undefined) },
        mirrors: {
          async findRevision(_repository, name) {
            asked.push(name);
            await meanwhile();
            return { sha: SHA, ref: `refs/heads/${name}` };
          },
          commit: async () => ({
            message: 'x',
            committedAt: '2026-01-02T03:04:05Z',
            author: PERSON,
            committer: PERSON,
          }),
        },
        transitions,
        clock,
        news,
      });
      const during = (act: () => Promise<unknown>) => (meanwhile = act);
      return { store, transitions, create, deploy, asked, during };
    }

    test('it makes a run that says how it came, an explanation and an audit row', async (t) => {
      const { store, deploy } = await setUp(t);
      const run = await deploy('storefront', 'feature', 'admin');
      assert.partialDeepStrictEqual(run, {
        sha: SHA,
        ref: 'refs/heads/feature',
        branch: 'feature',
        cause: 'deploy',
        event: 'deploy',
        state: 'queued',
        reason: 'Deploy of feature at ddddddd by admin',
      });
      const found = await store.inbox.get(run.delivery);
      assert.equal(found?.delivery.state, 'processed');
      assert.partialDeepStrictEqual(found.delivery.outcome, {
        summary: 'Deploy of feature at ddddddd by admin',
        specs: [{ spec: 'storefront', run: run.id, verdict: { matched: true } }],
      });
      assert.partialDeepStrictEqual(JSON.parse(found.payload), {
        ref: 'refs/heads/feature',
        after: SHA,
        sender: { login: 'admin' },
      });
      assert.partialDeepStrictEqual(await audited(store, 10), [
        { actor: 'admin', action: 'spec.deploy', subject: 'storefront' },
      ]);
      const seen = ['acme/storefront'];
      const told = await store.audit.search({ limit: 9, before: undefined }, { seen });
      assert.equal(told.items.length, 1);
      assert.ok((await store.outbox.ofRun(run.id)).length > 0, 'GitHub is told');
      assert.equal(await store.inbox.claim(NOW, 1000), undefined, 'nothing is left to be matched');
    });

    test('it takes the place of what waits, and waits behind what runs and behind a pause', async (t) => {
      const { store, transitions, create, deploy } = await setUp(t);
      const [running] = await create('r1');
      assert.ok(running);
      await transitions.commit(running, { type: 'start' });
      await create('r2');
      const run = await deploy('storefront', 'main', 'admin');
      assert.equal((await store.runs.get('r2'))?.state, 'superseded');
      assert.equal((await store.runs.get('r1'))?.state, 'running');
      assert.notEqual((await store.runs.nextRunnable(NOW))?.id, run.id);

      await create('r3');
      assert.equal((await store.runs.get(run.id))?.state, 'superseded', 'a later push is newer');
      await store.pauses.add({
        kind: 'spec',
        name: 'storefront',
        since: NOW,
        by: 'me',
        reason: '',
      });
      assert.equal((await deploy('storefront', 'main', 'admin')).state, 'blocked');
    });

    test('a push that comes while git is asked is not superseded unseen: git is asked again', async (t) => {
      const { store, create, deploy, asked, during } = await setUp(t);
      let pushes = 0;
      during(async () => {
        pushes += 1;
        if (pushes === 1) await create('newer');
      });
      const run = await deploy('storefront', undefined, 'admin');
      assert.deepEqual(asked, ['main', 'main']);
      assert.equal((await store.runs.get('newer'))?.state, 'superseded');
      assert.equal(run.state, 'queued');
      assert.equal((await audited(store, 10)).length, 1);
    });

    test('without a revision it is the one branch that the triggers name, or it has to be said', async (t) => {
      const triggers = (branches: string[]) => ({
        on: { push: { ...PUSH, branches }, release: undefined, workflowRun: undefined },
      });
      const { deploy } = await setUp(t, triggers(['production']));
      assert.equal((await deploy('storefront', undefined, 'admin')).branch, 'production');
      for (const branches of [['main', 'dev'], ['release/**'], []]) {
        const other = await setUp(t, triggers(branches));
        await assert.rejects(other.deploy('storefront', undefined, 'admin'), {
          code: 'revision-missing',
          hint: /mainsheet deploy storefront </,
        });
      }
      await assert.rejects(deploy('other', 'main', 'admin'), { code: 'spec-unknown' });
    });
  });
}
