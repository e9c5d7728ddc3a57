import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { textAt, type JsonObject } from '../../demo/json.ts';
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

/** Of the sets of one spec that were loaded: a file that is being written may be seen empty. */
const digests = ({ controller }: World) =>
  new Set(
    controller.log
      .filter(({ msg, count }) => msg === 'deployment specs loaded' && count === 1)
      .map(({ digest }) => digest),
  );

const readiness = async () => {
  const response = await asAdmin(`${world.controller.url}/readyz`);
  return { status: response.status, text: await response.text() };
};

test('a spec that is changed on disk is in use without a restart', async () => {
  assert.match(await deployed(world, 'before'), /^one$/m);
  await writeFile(join(world.controller.specsDir, 'site.yaml'), spec('two'));
  await until('the new spec is loaded', () => digests(world).size === 2);
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

/** The check runs of a commit, newest first. */
async function checksOf(of: World, sha: string): Promise<JsonObject[]> {
  const url = `${of.forge.url}/repos/${DEPLOYS}/commits/${sha}/check-runs?filter=all`;
  const answer = await fetch(url, { headers: { authorization: `Bearer ${of.forge.token}` } });
  return ((await answer.json()) as { check_runs: JsonObject[] }).check_runs;
}

test('specs of a repository are in use, and a push to it changes them; one that breaks them has a check run that says where, and so has the one that mends them', async () => {
  const other = await createWorld({
    specs: {},
    env: { MAINSHEET_DEPLOYMENTS: `github:${DEPLOYS}/specs@main` },
    credentials: 'app',
    forge: { app: true, repositories: [SITE, 'acme/hub', DEPLOYS] },
  });
  const deploys: Sample = await createSample(other.forge, DEPLOYS);
  const push = async (text: string) => {
    const sha = await deploys.commit({ files: { 'specs/site.yaml': text }, message: 'Specs' });
    await deploys.push('main');
    return sha;
  };
  const told = (sha: string) =>
    until(`${sha} has its check run`, async () => {
      const [check, ...more] = await checksOf(other, sha);
      assert.deepEqual(more, []);
      return check;
    });
  try {
    const first = await push(spec('valid'));
    assert.match(await deployed(other, 'valid'), /^valid$/m);
    const broken = await push(spec('x').replace('steps', 'stpes'));
    const check = await told(broken);
    const { output } = check as { output: JsonObject };
    assert.deepEqual([check['name'], check['conclusion']], ['mainsheet/specs', 'failure']);
    assert.match(textAt(output, 'summary'), /`specs\/site\.yaml:4:1` `.*stpes/);
    assert.equal(output['annotations_count'], 1);
    await other.controller.stop();
    await other.controller.restart();
    other.hear();
    const mended = await push(spec('mended'));
    assert.equal((await told(mended))['conclusion'], 'success');
    assert.match(await deployed(other, 'mended'), /^mended$/m);
    const before = digests(other).size;
    await push(spec('changed'));
    await until('the change is loaded', () => digests(other).size > before);
    assert.match(await deployed(other, 'changed'), /^changed$/m);
    assert.deepEqual(await checksOf(other, first), []);
    assert.equal((await checksOf(other, broken)).length, 1);
  } finally {
    await deploys.close();
    await other.close();
  }
});
