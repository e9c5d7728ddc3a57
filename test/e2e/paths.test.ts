import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createWorld, SITE, type World } from '../support/world.ts';

const SPEC = `
name: site
repository: ${SITE}
on:
  push:
    branches: [main, "release/**"]
    paths: ["src/**", "!**/*.md"]
steps: [{ run: "true" }]
`;

/** How many commits a payload lists at most here: what GitHub's cap once was, so that a test can exceed it. */
const CAP = 20;

let world: World;
before(async () => {
  world = await createWorld({ specs: { 'site.yaml': SPEC }, forge: { commitCap: CAP } });
});
after(() => world.close());

test('a push that changed a file under paths is deployed', async () => {
  const sha = await world.sample.commit({ files: { 'src/a.ts': '1' }, message: 'Code' });
  await world.sample.push('main');
  assert.equal((await world.ended(sha)).state, 'succeeded');
});

test('a push that changed only excluded files is not deployed', async () => {
  const sha = await world.sample.commit({ files: { 'src/notes.md': 'x' }, message: 'Notes' });
  await world.sample.push('main');
  const { specs } = await world.explainedPush(sha);
  assert.equal(specs[0]?.matched, false);
  assert.equal(specs[0].reasons.find((reason) => !reason.held)?.condition, 'on.push.paths');
});

test('a file that a truncated payload leaves out is found through git', async () => {
  await world.sample.commit({ files: { 'src/deep.ts': '2' }, message: 'In the part left out' });
  const sha = await commitMany('docs.txt');
  await world.sample.push('main');
  const delivery = await world.forge.waitForDelivery(({ body }) => body.includes(sha), 30_000);
  assert.ok(!delivery.body.includes('src/deep.ts'), 'the payload does not name the file');
  assert.equal((await world.ended(sha)).state, 'succeeded');
});

test('a truncated payload whose files match nothing is not deployed', async () => {
  await world.sample.commit({ files: { 'one.txt': '1' }, message: 'One' });
  const sha = await commitMany('two.txt');
  await world.sample.push('main');
  assert.equal((await world.explainedPush(sha)).specs[0]?.matched, false);
});

test('a new branch is compared with where it left the default branch', async () => {
  const plain = await world.sample.commit({
    files: { 'c.txt': 'x' },
    message: 'C',
    branch: 'release/1',
  });
  await world.sample.push('release/1');
  assert.equal((await world.explainedPush(plain)).specs[0]?.matched, false);

  const code = await world.sample.commit({
    files: { 'src/d.ts': 'x' },
    message: 'D',
    branch: 'release/2',
  });
  await world.sample.push('release/2');
  assert.equal((await world.ended(code)).state, 'succeeded');
});

test('a forced push is judged by the difference that it made', async () => {
  await world.sample.git('checkout', '--quiet', 'main');
  await world.sample.git('reset', '--hard', '--quiet', 'HEAD~1');
  const sha = await world.sample.commit({ files: { 'src/forced.ts': 'x' }, message: 'Forced' });
  await world.sample.push('main', { force: true });
  assert.equal((await world.ended(sha)).state, 'succeeded');
});

/** As many commits as a payload lists, each changing the same file; resolves with the last. */
async function commitMany(file: string): Promise<string> {
  let sha = '';
  for (let count = 0; count < CAP; count += 1) {
    sha = await world.sample.commit({ files: { [file]: String(count) }, message: `${count}` });
  }
  return sha;
}
