import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createWorld, SITE, type World } from '../support/world.ts';

let world: World;
before(async () => {
  world = await createWorld({
    specs: {
      's.yaml': `name: s\nrepository: ${SITE}\non: { push: { branches: [main] } }\nsteps: [{ run: "true" }]\n`,
    },
    credentials: 'app',
    forge: { app: true, privateRepositories: true },
  });
});
after(() => world.close());

test("when the App's tokens are revoked, git goes on with a new one", async () => {
  const { forge, sample } = world;
  const deploy = async (message: string) => {
    const sha = await sample.commit({ message });
    await sample.push('main');
    assert.equal((await world.ended(sha)).state, 'succeeded');
  };
  await deploy('before');
  await world.settled();
  forge.revokeTokens();
  await deploy('after');
});
