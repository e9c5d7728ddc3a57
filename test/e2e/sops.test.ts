import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { generateIdentity, identityToRecipient } from 'age-encryption';
import { sealWithSops } from '../support/sops.ts';
import { createWorld, SITE, type World } from '../support/world.ts';

const SPEC = `
name: shop
repository: ${SITE}
on: push
secrets: [API_TOKEN]
steps: [{ run: 'printf %s "$API_TOKEN" | sha256sum | sed "s/^/sum=/; s/ .*//" >> "$MAINSHEET_OUTPUT"; echo "with $API_TOKEN"' }]
`;

const sumOf = async (text: string) =>
  Buffer.from(await crypto.subtle.digest('SHA-256', Buffer.from(text))).toString('hex');

let world: World;
let recipient = '';
before(async () => {
  const identity = await generateIdentity();
  recipient = await identityToRecipient(identity);
  world = await createWorld({
    specs: {
      'shop.yaml': SPEC,
      'secrets.sops.yaml': await sealWithSops({ API_TOKEN: 'first-of-two' }, recipient),
    },
    env: { MAINSHEET_SOPS_AGE_KEY: `# made for a test\n${identity}\n` },
  });
});
after(() => world.close());

async function push(message: string) {
  const sha = await world.sample.commit({ message });
  await world.sample.push('main');
  return await world.ended(sha);
}

test('a secret that stands encrypted beside the specs reaches the steps, is masked, and is rotated without a restart', async () => {
  const first = await push('one');
  assert.equal(first.state, 'succeeded');
  assert.equal(first.outputs['sum'], await sumOf('first-of-two'));
  assert.match(await world.log(first.id), /with \*\*\*/);

  const from = world.controller.log.length;
  const file = join(world.controller.specsDir, 'secrets.sops.yaml');
  await writeFile(file, 'API_TOKEN: first-of-two\n');
  const { problems } = await world.controller.logged(
    { msg: 'deployment specs are broken; the last valid set stays in use' },
    from,
  );
  assert.match(
    String(problems),
    /secrets\.sops\.yaml:1:1: .*the value of API_TOKEN is not an encrypted/,
  );
  assert.equal((await push('two')).outputs['sum'], await sumOf('first-of-two'));

  await writeFile(file, await sealWithSops({ API_TOKEN: 'second-of-two' }, recipient));
  await world.controller.logged({ msg: 'deployment specs loaded' }, from);
  assert.equal((await push('three')).outputs['sum'], await sumOf('second-of-two'));
  assert.doesNotMatch(JSON.stringify(world.controller.log), /(?:first|second)-of-two/);
});
