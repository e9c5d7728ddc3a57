import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { until } from '../support/until.ts';
import { createWorld, SITE, type ExplainView, type World } from '../support/world.ts';

const RELEASE = `
name: released
repository: ${SITE}
on: { release: { types: [published] } }
steps: [{ run: 'echo "tag $MAINSHEET_TAG is $(git rev-parse HEAD)"' }]
`;
const AFTER_CI = `
name: after-ci
repository: ${SITE}
on: { workflow_run: { workflows: [CI], branches: [main] } }
steps: [{ run: 'echo "ci passed for $MAINSHEET_SHA"' }]
`;

let world: World;
before(async () => {
  world = await createWorld({ specs: { 'released.yaml': RELEASE, 'ci.yaml': AFTER_CI } });
});
after(() => world.close());

test('a release of an annotated tag deploys the commit behind the tag', async () => {
  const sha = await world.sample.commit({ message: 'Release me' });
  const tag = await world.sample.tag('v1.0.0', { annotated: true });
  assert.notEqual(tag, sha, 'the tag has an object of its own');
  await world.sample.push(['main', 'v1.0.0']);
  await world.forge.deliver('release', world.forge.release(SITE, 'v1.0.0'));
  const run = await world.ended(sha, 'released');
  assert.equal(run.state, 'succeeded');
  assert.match(await world.log(run.id), new RegExp(`tag v1.0.0 is ${sha}`));
  await world.statusOf(sha, 'mainsheet/released', 'success');
});

test('a draft release deploys nothing', async () => {
  const payload = world.forge.release(SITE, 'v1.0.0', { draft: true });
  const delivery = await world.forge.deliver('release', payload);
  const { specs } = await world.explained(delivery.id);
  assert.equal(specs.find(({ spec }) => spec === 'released')?.matched, false);
});

test('a release whose tag does not exist waits for it with a clear reason and blocks nothing', async () => {
  const delivery = await world.forge.deliver('release', world.forge.release(SITE, 'v9.9.9'));
  const view = await until('it is looked for again', async () => {
    const one = await world.controller.get<ExplainView>(`/deliveries/${delivery.id}/explain`);
    return one.summary?.includes('v9.9.9') && one;
  });
  assert.equal(view.state, 'pending');
  assert.match(view.summary, /does not show a tag v9\.9\.9 yet/);
});

test('a workflow run that succeeded on main deploys its commit', async () => {
  const sha = await world.sample.commit({ message: 'Tested' });
  await world.sample.push('main');
  await world.forge.deliver('workflow_run', world.forge.workflowRun(SITE, { sha }));
  assert.equal((await world.ended(sha, 'after-ci')).state, 'succeeded');
});

test('a workflow run for a tag called main deploys nothing where main is asked for', async () => {
  const sha = await world.sample.commit({ message: 'Not reviewed', branch: 'topic' });
  await world.sample.git('tag', 'main', sha);
  await world.sample.push(['topic', 'refs/tags/main']);
  const payload = world.forge.workflowRun(SITE, { sha });
  const delivery = await world.forge.deliver('workflow_run', payload);
  const { specs, summary } = await world.explained(delivery.id);
  assert.equal(specs.find(({ spec }) => spec === 'after-ci')?.matched, false);
  assert.match(summary, /ran for a tag main/);
});

const refused: [string, Parameters<World['forge']['workflowRun']>[1], string][] = [
  ['that failed', { sha: '', conclusion: 'failure' }, 'on.workflow_run.conclusions'],
  [
    'from a fork whose branch is called main',
    { sha: '', headRepository: 'eve/storefront' },
    'on.workflow_run',
  ],
  ['whose fork was deleted', { sha: '', headRepository: null }, 'on.workflow_run'],
  ['that a pull request started', { sha: '', event: 'pull_request' }, 'on.workflow_run'],
  ['of another workflow', { sha: '', workflow: 'Lint' }, 'on.workflow_run.workflows'],
  ['on another branch', { sha: '', branch: 'dev' }, 'on.workflow_run.branches'],
];
for (const [title, facts, condition] of refused) {
  test(`a workflow run ${title} deploys nothing`, async () => {
    const sha = await world.sample.git('rev-parse', 'HEAD');
    const payload = world.forge.workflowRun(SITE, { ...facts, sha });
    const delivery = await world.forge.deliver('workflow_run', payload);
    const view = (await world.explained(delivery.id)).specs.find(({ spec }) => spec === 'after-ci');
    assert.equal(view?.matched, false);
    const missed = view.reasons.filter((reason) => !reason.held).map((reason) => reason.condition);
    assert.ok(
      missed.some((name) => name.startsWith(condition)),
      `${condition} is among ${missed.join()}`,
    );
  });
}
