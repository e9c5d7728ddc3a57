import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { textAt, type JsonObject } from '../../demo/json.ts';
import { createSample, type Sample } from '../../demo/sample.ts';
import { createForge } from '../../demo/forge.ts';
import { startController } from '../support/controller.ts';
import { createPulls } from '../support/pulls.ts';
import { until } from '../support/until.ts';
import { appCredentials, HUB, SITE } from '../support/world.ts';

const spec = (branch: string) => `name: shop
repository: ${SITE}
on: { push: { branches: [${branch}] } }
steps: [{ name: Build, run: 'true' }]
`;

/** The pull requests are of the repository itself. */
const own = ({ head }: { head: string }) => ({
  head: { ref: 'change', sha: head, repo: { full_name: HUB } },
});

let forge: Awaited<ReturnType<typeof createForge>>;
let controller: Awaited<ReturnType<typeof startController>>;
let site: Sample;
let hub: Sample;
let pulls: ReturnType<typeof createPulls>;
before(async () => {
  forge = await createForge({ repositories: [SITE, HUB], app: true, webhookTimeoutMs: 60_000 });
  site = await createSample(forge, SITE, { 'README.md': 'shop\n' });
  hub = await createSample(forge, HUB, { 'specs/shop.yaml': spec('main'), 'other.yaml': 'x: 1\n' });
  controller = await startController({
    forge,
    specs: {},
    env: { ...appCredentials(forge), MAINSHEET_DEPLOYMENTS: `github:${HUB}/specs` },
  });
  forge.hook({ url: controller.webhookUrl, secret: controller.secret });
  await controller.logged({ msg: 'deployment specs loaded' });
  pulls = createPulls({ forge }, hub);
});
after(async () => {
  await controller.remove();
  await Promise.all([site.close(), hub.close()]);
  const problems = forge.problems();
  await forge.close();
  assert.deepEqual(problems, [], 'every request fits the API description of GitHub');
});

test('a broken spec is annotated at its line, and a mended one is judged by what came before', async () => {
  const sha = await site.commit({ message: 'one', branch: 'main' });
  await site.push('main');
  const run = await until('main was deployed', async () => {
    const { items } = await controller.get<{ items: { id: string; sha: string; state: string }[] }>(
      '/runs',
    );
    return items.find((one) => one.sha === sha && one.state === 'succeeded');
  });
  const secret = await site.commit({ message: 'two', branch: 'secret-feature' });
  await site.push('secret-feature');
  await until('the push was processed', async () => {
    const { items } = await controller.get<{ items: { state: string }[] }>('/deliveries');
    return items.filter(({ state }) => state === 'processed').length === 2;
  });

  const broken = await pulls.open({ 'specs/shop.yaml': `${spec('main')}stepz: []\n` });
  await pulls.tell('opened', broken);
  const first = await pulls.saidOf(broken);
  assert.equal(first.check['conclusion'], 'failure');
  assert.match(first.text, /`specs\/shop.yaml:5:1` `.*stepz/);
  const sent = forge.journal.find(
    ({ method, path }) => method === 'POST' && path.endsWith(`${HUB}/check-runs`),
  );
  assert.ok(sent);
  const { output } = sent.body as { output: { annotations: JsonObject[] } };
  assert.deepEqual(
    output.annotations.map((one) => [
      one['path'],
      one['start_line'],
      one['start_column'],
      one['annotation_level'],
    ]),
    [['specs/shop.yaml', 5, 1, 'failure']],
  );

  const mended = await pulls.push(broken.number, { 'specs/shop.yaml': spec('secret-feature') });
  await pulls.tell('synchronize', mended, own(mended));
  const { text, check } = await pulls.saidOf(mended);
  assert.equal(check['conclusion'], 'success');
  assert.match(text, /`shop` is changed/);
  assert.match(text, /2 of the decisions on \d+ deliveries would be others/);
  assert.match(text, /`shop` \*\*would have deployed\*\* a `push` on/);
  const link = `https://mainsheet.example/runs/${run.id}`;
  assert.ok(
    text.includes(`**would not have deployed** a \`push\``) && text.includes(`[run](${link})`),
  );
  assert.match(text, /\(\[delivery\]\(https:\/\/mainsheet.example\/deliveries\/[\w-]+\)/);
  // Of another repository branches and commits are not named (G12).
  assert.ok(!text.includes(secret.slice(0, 7)) && !text.includes('refs/heads'));
  assert.equal(textAt(check['output'] as JsonObject, 'title'), '1 deployment spec to change');
});

test('a pull request into another branch, or of other files, changes no spec', async () => {
  const other = await pulls.open({ 'other.yaml': 'y: 2\n' });
  await pulls.tell('opened', other);
  const elsewhere = await pulls.open({ 'specs/new.yaml': 'broken: [\n' });
  await pulls.tell('opened', elsewhere, { base: { ref: 'next' } });
  const last = await pulls.open({ 'specs/docs.yaml': spec('docs').replace('shop', 'docs') });
  await pulls.tell('opened', last, own(last));
  assert.match((await pulls.saidOf(last)).text, /`docs` is new/);
  assert.deepEqual(await pulls.commentsOn(other.number), []);
  assert.deepEqual(await pulls.commentsOn(elsewhere.number), []);
});
