import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { deafUrl } from '../support/deaf.ts';
import { until } from '../support/until.ts';
import { createWorld, SITE, type ExplainView, type World } from '../support/world.ts';

const spec = (name: string, on: string) => `
name: ${name}
repository: ${SITE}
on: ${on}
steps: [{ run: 'echo "deployed $MAINSHEET_SHA"' }]
`;

let world: World;
before(async () => {
  world = await createWorld({
    specs: {
      'all.yaml': [
        spec('main', '{ push: { branches: [main] } }'),
        spec('other', '{ push: { branches: [other] } }'),
        spec('tagged', '{ push: { tags: ["v*"] } }'),
        spec('released', '{ release: { types: [published] } }'),
        spec('after-ci', '{ workflow_run: { workflows: [CI] } }'),
      ].join('---\n'),
    },
  });
});
after(() => world.close());

/** Does what is not told. */
async function unheard(work: () => Promise<unknown>): Promise<void> {
  world.forge.hook({ url: await deafUrl(), secret: world.controller.secret });
  const count = world.forge.deliveries.length;
  await work();
  await world.forge.waitForDelivery((one) => world.forge.deliveries.indexOf(one) >= count, 30_000);
  world.hear();
}

/** Makes GitHub tell of a push to `main` that git does not show yet; `show` makes git show it. */
async function toldTooSoon(message: string) {
  const { sha, deliver } = await world.pushUnheard('main', message);
  const old = `${sha}~1:refs/heads/main`;
  await unheard(() => world.sample.push(old, { force: true }));
  const { id } = await deliver();
  return { sha, id, show: () => unheard(() => world.sample.push(`${sha}:refs/heads/main`)) };
}

const waits = (id: string) =>
  until('it is looked for again', async () => {
    const view = await world.controller.get<ExplainView>(`/deliveries/${id}/explain`);
    return view.state === 'pending' && view.summary?.includes('git does not show') && view;
  });

test('a branch that is forced back to where it was seen is deployed when git shows it', async () => {
  const base = await world.sample.git('rev-parse', 'origin/main');
  const sha = await world.sample.commit({ message: 'Regretted' });
  await world.sample.push('main');
  assert.equal((await world.ended(sha, 'main')).state, 'succeeded');
  const force = (to: string) => () => world.sample.push(`${to}:refs/heads/main`, { force: true });
  await unheard(force(base));
  await unheard(force(sha));
  const { id } = await world.forge.waitForDelivery(
    ({ event, body }) => event === 'push' && body.includes(`"before":"${sha}"`),
    30_000,
  );
  await world.forge.redeliver(id);
  await waits(id);
  await unheard(force(base));
  assert.equal((await world.ended(base, 'main')).state, 'succeeded');
});

test('a push that is told of before git shows it is deployed when it does, and keeps nothing else from being deployed', async () => {
  const { sha, id, show } = await toldTooSoon('Too soon');
  assert.match((await waits(id)).summary, /later deliveries go on without it/);
  const other = await world.sample.commit({ message: 'Other', branch: 'other' });
  await world.sample.push('other');
  assert.equal((await world.ended(other, 'other')).state, 'succeeded');
  assert.deepEqual(await world.runs(`&sha=${sha}`), []);
  await show();
  assert.equal((await world.ended(sha, 'main')).state, 'succeeded');
  assert.equal((await world.runs(`&sha=${sha}`)).length, 1);
});

test('a release that is told of before git shows its tag is deployed when it does', async () => {
  const payload = world.forge.release(SITE, 'v1.0.0');
  const { id } = await world.forge.deliver('release', payload);
  await until('it is looked for again', async () => {
    const view = await world.controller.get<ExplainView>(`/deliveries/${id}/explain`);
    return view.summary?.includes('does not show a tag v1.0.0 yet');
  });
  await world.sample.git('checkout', '--quiet', 'main');
  const sha = await world.sample.commit({ message: 'Released' });
  await world.sample.tag('v1.0.0');
  await unheard(() => world.sample.push(['main', 'v1.0.0']));
  assert.equal((await world.ended(sha, 'released')).state, 'succeeded');
});

test('a commit that only a pull request has is not deployed, whatever a push, a tag or a workflow run says of it', async () => {
  const main = await world.sample.git('rev-parse', 'origin/main');
  await world.sample.git('checkout', '--quiet', '--detach', main);
  await world.sample.git('commit', '--quiet', '--allow-empty', '--message=From a fork');
  const sha = await world.sample.git('rev-parse', 'HEAD');
  await unheard(() => world.sample.push(`${sha}:refs/pull/9/head`));
  const real = world.forge.deliveries.findLast(({ body }) => body.includes('"refs/heads/main"'));
  const push = JSON.parse(real?.body ?? '{}') as Record<string, object>;
  const head = { ...push['head_commit'], id: sha } as never;
  const forged = { ...push, before: main as never, after: sha as never, head_commit: head };
  const deliveries = [
    await world.forge.deliver('push', { ...forged, commits: [head] as never }),
    await world.forge.deliver('push', { ...forged, ref: 'refs/tags/v9' as never }),
    await world.forge.deliver('workflow_run', world.forge.workflowRun(SITE, { sha })),
  ];
  for (const { id } of deliveries) await waits(id);
  assert.deepEqual(await world.runs(`&sha=${sha}`), []);
});
