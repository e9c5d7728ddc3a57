import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { runCommand } from '../commands/run-command.ts';
import { logIn } from '../http/pages/browser.ts';
import { until } from '../support/until.ts';
import { createWorld, SITE, type World } from '../support/world.ts';

let world: World;
before(async () => {
  world = await createWorld({
    specs: {
      'chain.yaml': `
name: first
repository: ${SITE}
environment: staging
on: { push: { branches: [main] } }
steps: [{ run: "true" }]
---
name: second
repository: ${SITE}
environment: production
on: { deployment: { spec: first } }
steps: [{ run: "true" }]
---
name: later
repository: ${SITE}
environment: later
on: { deployment: { spec: second, soak: 1h } }
steps: [{ run: "true" }]
`,
    },
  });
});
after(() => world.close());

async function push(message: string): Promise<string> {
  const sha = await world.sample.commit({ message });
  await world.sample.push('main');
  return sha;
}

const mainsheet = (...argv: string[]) =>
  runCommand(argv, { env: { MAINSHEET_URL: world.controller.url } });

test('a run starts the next spec at its commit, and its page, "why" and "explain" show the chain', async () => {
  const sha = await push('chained');
  const second = await world.ended(sha, 'second');
  assert.equal(second.state, 'succeeded');
  const why = await mainsheet('why', sha, '--repository', SITE);
  assert.match(why.stdout, new RegExp(`Run ${second.id} starts it at 20\\d\\d-.* stays healthy`));
  const explained = await world.explained(second.delivery);
  assert.deepEqual(
    explained.specs.map(({ spec, matched }) => [spec, matched]),
    [['second', true]],
  );
  assert.match(explained.specs[0]?.reasons[0]?.detail ?? '', /^run \w+ of first has deployed/);
  const { url } = world.controller;
  const page = await fetch(`${url}/runs/${second.id}`, { headers: { Cookie: await logIn(url) } });
  assert.match(
    (await page.text()).replaceAll(/<[^>]*>/g, ' ').replaceAll(/\s+/g, ' '),
    / Chain Started by Succeeded first Starts later .*, if it is healthy until then /,
  );
});

test('a chain whose controller is killed at each place of its way goes on after that, once', async () => {
  await world.controller.stop();
  let sha = '';
  await world.survives(
    ['end.before', 'end.after', 'intake.before', 'intake.inside', 'intake.after'],
    async () => (sha = await push('killed')),
  );
  assert.equal((await world.ended(sha, 'second')).state, 'succeeded');
  await until('nothing is pending', async () => {
    const { items } = await world.controller.get<{ items: object[] }>('/deliveries?state=pending');
    return items.length === 0;
  });
  const specs = (await world.runs(`&sha=${sha}`)).map(({ spec }) => spec).sort();
  assert.deepEqual(specs, ['first', 'second']);
});
