import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { createSample, type Sample } from '../../demo/sample.ts';
import { asAdmin } from '../support/admin.ts';
import { until } from '../support/until.ts';
import { createWorld, SITE, type World } from '../support/world.ts';

const DEPLOYS = 'acme/deploys';
const spec = (word: string) =>
  `name: site\nrepository: ${SITE}\non: push\nsteps: [{ run: echo ${word} }]\n`;

let world: World;
before(async () => {
  world = await createWorld({ specs: { 'site.yaml': spec('one') } });
});
after(() => world.close());

async function deployed(world_: World, message: string): Promise<string> {
  const sha = await world_.sample.commit({ message });
  await world_.sample.push('main');
  const run = await world_.ended(sha);
  assert.equal(run.state, 'succeeded', run.reason);
  return await world_.log(run.id);
}

const readiness = async () => {
  const response = await asAdmin(`${world.controller.url}/readyz`);
  return { status: response.status, text: await response.text() };
};

test('a spec that is changed on disk is in use without a restart', async () => {
  assert.match(await deployed(world, 'before'), /^one$/m);
  await writeFile(join(world.controller.specsDir, 'site.yaml'), spec('two'));
  await until(
    'the new spec is loaded',
    () => world.controller.log.filter(({ msg }) => msg === 'deployment specs loaded').length === 2,
  );
  assert.match(await deployed(world, 'after'), /^two$/m);
});

test('a broken spec leaves the last valid set in use and says so on /readyz, in the log and in the API', async () => {
  await writeFile(join(world.controller.specsDir, 'site.yaml'), 'nam: site\nsteps: []\n');
  const { text } = await until('it is not ready', async () => {
    const answer = await readiness();
    return answer.status === 503 && answer;
  });
  assert.match(text, /site\.yaml:1:1/);
  assert.match(text, /did you mean \\?"name\\?"/);
  await world.controller.logged({
    level: 'error',
    msg: 'deployment specs are broken; the last valid set stays in use',
  });
  const specs = await world.controller.get<{
    stale: boolean;
    problems: unknown[];
    items: unknown[];
  }>('/specs');
  assert.deepEqual([specs.stale, specs.items.length], [true, 1]);
  assert.ok(specs.problems.length > 0);
  assert.equal((await asAdmin(`${world.controller.url}/readyz?check=store`)).status, 200);
  assert.match(await deployed(world, 'while broken'), /^two$/m);

  await writeFile(join(world.controller.specsDir, 'site.yaml'), spec('three'));
  await until('it is ready again', async () => (await readiness()).status === 200);
  assert.match(await deployed(world, 'mended'), /^three$/m);
});

test('specs of a repository are in use, and a push to it changes them', async () => {
  const other = await createWorld({
    specs: {},
    env: { MAINSHEET_DEPLOYMENTS: `github:${DEPLOYS}/specs@main` },
    forge: { repositories: [SITE, 'acme/hub', DEPLOYS] },
  });
  const deploys: Sample = await createSample(other.forge, DEPLOYS);
  try {
    await deploys.commit({ files: { 'specs/site.yaml': spec('from-git') }, message: 'Spec' });
    await deploys.push('main');
    assert.match(await deployed(other, 'first'), /^from-git$/m);

    await deploys.commit({ files: { 'specs/site.yaml': spec('changed') }, message: 'Change' });
    await deploys.push('main');
    const { log } = other.controller;
    await until('the change is loaded', () => {
      const said = log.map(({ msg }) => msg);
      const checkouts = said.filter((msg) => msg === 'deployment specs checked out').length;
      const checkedOut = said.lastIndexOf('deployment specs checked out');
      return checkouts === 2 && said.lastIndexOf('deployment specs loaded') > checkedOut;
    });
    assert.match(await deployed(other, 'second'), /^changed$/m);
  } finally {
    await deploys.close();
    await other.close();
  }
});
