import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createWorld, HUB, SITE, type World } from '../support/world.ts';

const SPEC = `
name: storefront
repository: ${SITE}
on: { push: { branches: [main] } }
if: "github.event_name != 'push' || !github.event.head_commit.message.contains('[skip deploy]')"
steps:
  - name: Build
    run: |
      echo "building $MAINSHEET_SHA of $MAINSHEET_BRANCH"
      echo "readme=$(cat README.md)" >> "$MAINSHEET_OUTPUT"
  - name: Smoke
    run: echo "smoke $README of $REF"
    env: { README: "\${{ outputs.readme }}", REF: "\${{ github.ref_type }} \${{ github.ref_name }}" }
notify:
  - dispatch:
      repository: ${HUB}
      event-type: component-updated
      payload: { component: storefront, sha: "\${{ github.sha }}", readme: "\${{ outputs.readme }}" }
`;

let world: World;
before(async () => {
  world = await createWorld({ specs: { 'storefront.yaml': SPEC } });
});
after(() => world.close());

test('a push to main is deployed, and GitHub shows the status, the Deployment and the dispatch', async () => {
  const sha = await world.sample.commit({ files: { 'README.md': 'shop 2\n' }, message: 'Second' });
  await world.sample.push('main');

  const run = await world.ended(sha);
  assert.equal(run.state, 'succeeded');
  assert.deepEqual(run.outputs, { readme: 'shop 2' });
  const log = await world.log(run.id);
  assert.match(log, new RegExp(`building ${sha} of main`));
  assert.match(log, /smoke shop 2 of branch main/);

  const description = await world.statusOf(sha, 'mainsheet/storefront', 'success');
  assert.match(description, /^Deployed to production in /);
  await world.settled();
  const [deployment] = await world.forge.deployments(SITE);
  assert.equal(deployment?.['sha'], sha);
  assert.equal(deployment?.['environment'], 'production');
  const states = deployment.statuses.map((status) => status['state'] as string);
  assert.equal(states[0], 'success', `the last state is the true one: ${states.join()}`);
  assert.equal(deployment.statuses[0]?.['log_url'], `https://mainsheet.example/runs/${run.id}`);
  const dispatches = await world.forge.dispatches(HUB);
  assert.deepEqual(
    dispatches.map((one) => [one['event_type'], one['client_payload']]),
    [['component-updated', { component: 'storefront', sha, readme: 'shop 2' }]],
  );
  const { items } = await world.controller.get<{ items: { sha: string; run: string }[] }>(
    '/environments',
  );
  assert.deepEqual(
    items.map(({ sha: deployed, run: by }) => [deployed, by]),
    [[sha, run.id]],
  );
});

test('a push to another branch is not deployed, and explain says which condition did not hold', async () => {
  const sha = await world.sample.commit({ message: 'Elsewhere', branch: 'feature/x' });
  await world.sample.push('feature/x');
  const { summary, specs } = await world.explainedPush(sha);
  assert.match(summary, /^Not deployed: /);
  const missed = specs[0]?.reasons.filter((reason) => !reason.held);
  assert.deepEqual(
    missed?.map((reason) => reason.condition),
    ['on.push.branches'],
  );
  assert.deepEqual(await world.runs(`&sha=${sha}`), []);
});

test('deleting a branch deploys nothing', async () => {
  await world.sample.commit({ message: 'Short-lived', branch: 'gone' });
  await world.sample.push('gone');
  await world.sample.push(':gone');
  const delivery = await world.forge.waitForDelivery(
    ({ body }) => body.includes('"deleted":true'),
    30_000,
  );
  const { specs } = await world.explained(delivery.id);
  assert.ok(specs[0]?.matched === false);
});

test('a commit message with [skip deploy] is not deployed', async () => {
  const sha = await world.sample.commit({ message: 'Docs [skip deploy]', branch: 'main' });
  await world.sample.push('main');
  const { specs } = await world.explainedPush(sha);
  assert.deepEqual(
    specs[0]?.reasons.filter((reason) => !reason.held).map((reason) => reason.condition),
    ['if'],
  );
  assert.deepEqual(await world.runs(`&sha=${sha}`), []);
});

test('the same delivery sent five times makes one run', async () => {
  const sha = await world.sample.commit({ message: 'Once', branch: 'main' });
  await world.sample.push('main');
  const first = await world.forge.waitForDelivery(
    ({ body }) => body.includes(`"after":"${sha}"`),
    30_000,
  );
  const again = await Promise.all([1, 2, 3, 4].map(() => world.forge.redeliver(first.id)));
  for (const { status, answer } of again) {
    assert.equal(status, 202);
    assert.deepEqual(JSON.parse(answer), { delivery: first.id, duplicate: true });
  }
  await world.ended(sha);
  assert.equal((await world.runs(`&sha=${sha}`)).length, 1);
});

test('a delivery that is replayed by hand makes one more run', async () => {
  const sha = await world.sample.commit({ message: 'Replayed', branch: 'main' });
  await world.sample.push('main');
  const { delivery } = await world.ended(sha);
  const response = await world.controller.post(`/deliveries/${delivery}/replay`);
  assert.equal(response.status, 201);
  const { runs } = (await response.json()) as { runs: { id: string; cause: string }[] };
  assert.deepEqual(
    runs.map(({ cause }) => cause),
    ['replay'],
  );
  assert.equal((await world.runs(`&sha=${sha}`)).length, 2);
});
