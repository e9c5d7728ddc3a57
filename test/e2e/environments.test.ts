import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createWorld, SITE, type World } from '../support/world.ts';

/** Two specs that share the environment `production`. */
const spec = (name: string) => `
name: ${name}
repository: ${SITE}
on: { push: { branches: [${name}] } }
transient_environment: ${name === 'back'}
steps:
  - run: echo "environment_url=https://${name}.example/$MAINSHEET_SHA" >> "$MAINSHEET_OUTPUT"
`;

let world: World;
before(async () => {
  world = await createWorld({ specs: { 'all.yaml': ['front', 'back'].map(spec).join('---\n') } });
});
after(() => world.close());

async function deploy(branch: string): Promise<string> {
  const sha = await world.sample.commit({ message: branch, branch });
  await world.sample.push(branch);
  assert.equal((await world.ended(sha)).state, 'succeeded');
  await world.settled();
  return sha;
}

async function shown(sha: string) {
  const deployment = (await world.forge.deployments(SITE)).find((one) => one['sha'] === sha);
  assert.ok(deployment);
  const [status] = deployment.statuses;
  return {
    state: status?.['state'],
    production: deployment['production_environment'],
    transient: deployment['transient_environment'],
  };
}

test('a Deployment takes the place of its own spec’s one in the environment, and of no other’s', async () => {
  const [first, back, second] = [
    await deploy('front'),
    await deploy('back'),
    await deploy('front'),
  ];
  assert.deepEqual(await shown(first), { state: 'inactive', production: true, transient: false });
  assert.deepEqual(await shown(back), { state: 'success', production: true, transient: true });
  assert.deepEqual(await shown(second), { state: 'success', production: true, transient: false });
  const deployed = (await world.forge.deployments(SITE)).find((one) => one['sha'] === second);
  assert.equal(deployed?.statuses[0]?.['environment_url'], `https://front.example/${second}`);
});
