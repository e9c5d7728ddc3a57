import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { runCommand } from '../commands/run-command.ts';
import { until } from '../support/until.ts';
import { createWorld, SITE, type RunView, type World } from '../support/world.ts';

const SPEC = `
name: storefront
repository: ${SITE}
on: { push: { branches: [main] } }
steps: [{ run: 'echo "$MAINSHEET_EVENT of $MAINSHEET_REF"; test -s "$MAINSHEET_EVENT_PATH"' }]
`;

let world: World;
before(async () => {
  world = await createWorld({ specs: { 'storefront.yaml': SPEC } });
});
after(() => world.close());

const mainsheet = (...argv: string[]) =>
  runCommand(argv, { env: { MAINSHEET_URL: world.controller.url } });

async function push(message: string): Promise<RunView> {
  const sha = await world.sample.commit({ message });
  await world.sample.push('main');
  return await world.ended(sha);
}

async function ended(id: string): Promise<RunView> {
  return await until(`run ${id} has ended`, async () => {
    const run = await world.controller.get<RunView & { finishedAt: string | null }>(`/runs/${id}`);
    return run.finishedAt !== null && run;
  });
}

test('a commit is deployed by hand, also an older one; what lies between stays behind and the next push goes on', async () => {
  const one = await push('one');
  const between = await world.pushUnheard('main', 'between');
  const two = await push('two');
  const asked = await mainsheet('deploy', 'storefront', one.sha.slice(0, 8), '--json');
  assert.equal(asked.code, 0, asked.stderr);
  const made = await ended((JSON.parse(asked.stdout) as RunView).id);
  assert.deepEqual([made.state, made.sha], ['succeeded', one.sha]);
  assert.match(await world.log(made.id), /^deploy of refs\/heads\/main$/m);
  await world.statusOf(one.sha, 'mainsheet/storefront', 'success');

  const explained = await mainsheet('explain', made.delivery);
  assert.match(explained.stdout, /Deploy of main at [0-9a-f]{7} by admin/);
  const listed = await mainsheet('runs');
  assert.match(listed.stdout, new RegExp(`^${made.id} .* deploy `, 'm'));

  await between.deliver();
  assert.equal((await world.ended(between.sha)).state, 'superseded');

  const forward = await mainsheet('deploy', 'storefront', '--json');
  const again = await ended((JSON.parse(forward.stdout) as RunView).id);
  assert.equal(again.sha, two.sha);
  const three = await push('three');
  assert.equal(three.state, 'succeeded');
});

test('what no branch or tag of the repository leads to is refused with what to do', async () => {
  const { code, stderr } = await mainsheet('deploy', 'storefront', 'f'.repeat(40));
  assert.equal(code, 3);
  assert.match(stderr, /has no revision f+\n {2}hint: name a branch, a tag, or a commit/);
  const unknown = await mainsheet('deploy', 'stroefront');
  assert.equal(unknown.code, 3);
  assert.match(unknown.stderr, /no deployment spec stroefront\n {2}hint: "mainsheet specs"/);
});
