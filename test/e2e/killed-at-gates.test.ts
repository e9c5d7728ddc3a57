import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import { textAt, type Json, type JsonObject } from '../../demo/json.ts';
import { until } from '../support/until.ts';
import { createWorld, SITE, type RunView, type World } from '../support/world.ts';

const SPEC = `
name: shop
repository: ${SITE}
on: { push: { branches: [main] } }
comments: true
feedback: [status, deployment, check]
gates: [{ approve: {} }]
steps: [{ run: echo deployed }]
`;

let world: World;
before(async () => {
  world = await createWorld({
    specs: { 'shop.yaml': SPEC },
    credentials: 'app',
    forge: { app: true },
  });
});
after(() => world.close());

async function api(method: string, path: string, body?: Json): Promise<Json> {
  const answer = await fetch(`${world.forge.url}/repos/${SITE}${path}`, {
    method,
    headers: { authorization: `Bearer ${world.forge.token}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  assert.ok(answer.ok, `${method} ${path}: ${answer.status}`);
  return (await answer.json()) as Json;
}

/** GitHub's example of an event, of this repository and by a person who may write to it. */
function example(name: string, action: string): JsonObject {
  const path = createRequire(import.meta.url).resolve('@octokit/webhooks-examples');
  const definitions = JSON.parse(readFileSync(path, 'utf8')) as {
    name: string;
    examples: JsonObject[];
  }[];
  const found = definitions
    .find((one) => one.name === name)
    ?.examples.find((one) => one['action'] === action);
  assert.ok(found);
  return {
    ...found,
    repository: { ...(found['repository'] as JsonObject), id: 1, full_name: SITE },
    sender: { ...(found['sender'] as JsonObject), login: 'demo' },
  };
}

async function checkOf(run: Pick<RunView, 'id' | 'sha'>): Promise<JsonObject> {
  const { check_runs: all } = (await api('GET', `/commits/${run.sha}/check-runs?filter=all`)) as {
    check_runs: JsonObject[];
  };
  const [check, ...more] = all.filter((one) => one['external_id'] === run.id);
  assert.ok(check);
  assert.deepEqual(more, []);
  return check;
}

/** Each answers what is to be seen of it on GitHub, a text for each answer. */
const WAYS = {
  async 'the command in a comment'({ sha }: RunView) {
    const { id } = (await api('POST', `/commits/${sha}/comments`, { body: '/approve' })) as {
      id: number;
    };
    const event = example('commit_comment', 'created');
    const comment = {
      ...(event['comment'] as JsonObject),
      id,
      body: '/approve',
      commit_id: sha,
      created_at: new Date().toISOString(),
    };
    return {
      name: 'commit_comment',
      payload: { ...event, comment },
      async answers() {
        const all = (await api('GET', `/commits/${sha}/comments?per_page=100`)) as JsonObject[];
        const reactions = (await api('GET', `/comments/${id}/reactions`)) as JsonObject[];
        assert.deepEqual(
          reactions.map(({ content }) => content),
          ['+1'],
        );
        return all.map((one) => textAt(one, 'body')).filter((body) => body.startsWith('Done'));
      },
    };
  },
  async 'the button of a check run'(run: RunView) {
    const check = await checkOf(run);
    const event = example('check_run', 'requested_action');
    const pressed = {
      ...(event['check_run'] as JsonObject),
      id: check['id'] ?? null,
      head_sha: run.sha,
      external_id: run.id,
    };
    return {
      name: 'check_run',
      payload: { ...event, check_run: pressed, requested_action: { identifier: 'approve' } },
      answers: async () => [textAt((await checkOf(run))['output'] as JsonObject, 'title')],
    };
  },
};

/** Each before and after the transaction of the answer, and while what the world hears of it is sent. */
const PLACES = ['gate.inside', 'gate.after', 'callback.sent:1', 'callback.sent:2'];

for (const way of Object.keys(WAYS) as (keyof typeof WAYS)[]) {
  test(`an approval by ${way} counts once and is answered once, although the controller dies at each place of it (G6)`, async () => {
    const { controller, forge, sample } = world;
    const sha = await sample.commit({ message: way });
    await sample.push('main');
    await world.explainedPush(sha);
    const run = await until('the run waits', async () => (await world.runs(`&sha=${sha}`))[0]);
    assert.equal(run.state, 'blocked');
    await world.settled();
    const { name, payload, answers } = await WAYS[way](run);

    await controller.stop();
    let id = '';
    await world.survives(PLACES, async () => void ({ id } = await forge.deliver(name, payload)));

    assert.match((await world.explained(id)).summary, /^@demo asked to approve/);
    assert.equal((await world.ended(sha)).state, 'succeeded');
    await world.settled();
    assert.equal((await answers()).length, 1);
    const { gates, startedAt } = await controller.get<{
      startedAt: string;
      gates: { answers: { by: string; at: string }[] }[];
    }>(`/runs/${run.id}`);
    const given = gates.flatMap((gate) => gate.answers);
    assert.deepEqual(
      given.map(({ by }) => by),
      ['demo'],
    );
    assert.ok(startedAt >= (given[0]?.at ?? 'z'), 'not before its gate was open');
    assert.equal((await checkOf(run))['conclusion'], 'success');
  });
}
