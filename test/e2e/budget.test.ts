import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { until } from '../support/until.ts';
import { createWorld, HUB, SITE, type World } from '../support/world.ts';

/** So few that there is room for nothing but the end of one run. */
const PER_HOUR = 1;
const WRITES = /\/(?:statuses|deployments|dispatches)/;

let world: World;
before(async () => {
  world = await createWorld({
    specs: {
      's.yaml': `name: s
repository: ${SITE}
on: { push: { branches: [main] } }
steps: [{ run: "true" }]
notify: [{ dispatch: { repository: ${HUB}, event-type: deployed } }]
`,
    },
    env: { MAINSHEET_GITHUB_WRITES_PER_HOUR: String(PER_HOUR) },
  });
});
after(() => world.close());

describe("G10 GitHub's limits are respected by budget, not discovered by error", () => {
  test('a run goes on whatever may be sent, its end is shown before all else, and the metrics tell', async () => {
    const sha = await deploy('first');
    await world.statusOf(sha, 'mainsheet/s', 'success');
    assert.equal(writes(), PER_HOUR);
    assert.equal(await metric('used'), PER_HOUR);
    assert.equal(await metric('left'), 0);
  });

  test('what was sent counts after a death too', async () => {
    const { controller, forge } = world;
    await controller.kill();
    await controller.restart();
    await until('what was sent is known', async () => (await metric('used')) === PER_HOUR);
    forge.hook({ url: controller.webhookUrl, secret: controller.secret });
    const sha = await deploy('second');
    const { items } = await world.controller.get<{ items: { state: string; run: string }[] }>(
      '/outbox?state=pending',
    );
    const [run] = await world.runs(`&sha=${sha}`);
    assert.ok(
      items.some((item) => item.run === run?.id),
      'its callbacks wait',
    );
    assert.equal(writes(), PER_HOUR);
  });
});

async function deploy(message: string): Promise<string> {
  const sha = await world.sample.commit({ message });
  await world.sample.push('main');
  assert.equal((await world.ended(sha)).state, 'succeeded');
  return sha;
}

function writes(): number {
  return world.forge.journal.filter(({ method, path }) => method === 'POST' && WRITES.test(path))
    .length;
}

async function metric(which: 'used' | 'left'): Promise<number> {
  const text = await (await fetch(`${world.controller.url}/metrics`)).text();
  const line = text
    .split('\n')
    .find(
      (each) => each.startsWith(`mainsheet_github_writes_${which}{`) && each.includes('"hour"'),
    );
  return Number(line?.split(' ')[1]);
}
