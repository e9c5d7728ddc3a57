import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import { textAt, type Json, type JsonObject } from '../../demo/json.ts';
import { until } from '../support/until.ts';
import { createWorld, SITE, type World } from '../support/world.ts';

const SPEC = `
name: shop
repository: ${SITE}
on: { push: { branches: [main] } }
comments: true
steps: [{ run: 'test ! -e broken' }]
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

/** Where a comment stands. */
type Place = { commit: string } | { pull: number };

async function api(method: string, path: string, body?: Json): Promise<Json> {
  const answer = await fetch(`${world.forge.url}/repos/${SITE}${path}`, {
    method,
    headers: { authorization: `Bearer ${world.forge.token}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  assert.ok(answer.ok, `${method} ${path}: ${answer.status}`);
  return (await answer.json()) as Json;
}

const pathOf = (place: Place) =>
  'commit' in place ? `/commits/${place.commit}/comments` : `/issues/${place.pull}/comments`;

/** GitHub's example of a comment, with these words of this person. */
function told(place: Place, id: number, body: string, login: string, more: JsonObject): JsonObject {
  const path = createRequire(import.meta.url).resolve('@octokit/webhooks-examples');
  const definitions = JSON.parse(readFileSync(path, 'utf8')) as {
    name: string;
    examples: JsonObject[];
  }[];
  const name = 'commit' in place ? 'commit_comment' : 'issue_comment';
  const example = definitions.find((one) => one.name === name)?.examples[0];
  assert.ok(example);
  const comment = { ...(example['comment'] as JsonObject), id, body };
  return {
    ...example,
    repository: { ...(example['repository'] as JsonObject), id: 1, full_name: SITE },
    sender: { ...(example['sender'] as JsonObject), login },
    ...('commit' in place
      ? { comment: { ...comment, commit_id: place.commit } }
      : {
          comment,
          issue: {
            ...(example['issue'] as JsonObject),
            number: place.pull,
            pull_request: { url: `${world.forge.url}/repos/${SITE}/pulls/${place.pull}` },
          },
        }),
    ...more,
  };
}

/** Writes a comment, lets GitHub tell of it, and answers what was said to it: how its delivery ended, the reaction and the reply. */
async function say(place: Place, body: string, login = 'demo', more: JsonObject = {}) {
  const { id } = (await api('POST', pathOf(place), { body })) as { id: number };
  const event = 'commit' in place ? 'commit_comment' : 'issue_comment';
  const delivery = await world.forge.deliver(event, told(place, id, body, login, more));
  const { summary } = await world.explained(delivery.id);
  await world.settled();
  const reactions = `${'commit' in place ? '' : '/issues'}/comments/${id}/reactions`;
  const contents = ((await api('GET', reactions)) as JsonObject[]).map((one) => one['content']);
  const comments = (await api('GET', `${pathOf(place)}?per_page=100`)) as JsonObject[];
  const replies = comments
    .map((one) => textAt(one, 'body'))
    .filter((text) => text.endsWith(`<!-- mainsheet: answers ${id} -->`));
  return { id, delivery: delivery.id, summary, contents, replies };
}

async function push(message: string): Promise<string> {
  const sha = await world.sample.commit({ message });
  await world.sample.push('main');
  assert.equal((await world.ended(sha)).state, 'succeeded');
  return sha;
}

const newest = async () => (await world.runs())[0];

test('commands on a commit do what they say, once, and are answered there', async () => {
  const one = await push('one');
  const two = await push('two');
  const deployed = await say({ commit: one }, '/deploy production\n\nThe old one, please.');
  assert.deepEqual([deployed.contents, deployed.replies.length], [['+1'], 1]);
  assert.match(deployed.summary, /^@demo asked to deploy .* with shop: run /);
  await until('it is deployed', async () => (await newest())?.state === 'succeeded');
  assert.equal((await newest())?.sha, one);

  await world.forge.redeliver(deployed.delivery);
  const count = (await world.runs()).length;
  const explained = await say({ commit: two }, '/explain');
  assert.match(explained.replies[0] ?? '', /shop&#58; Deployed to production .* replaced by/);
  assert.equal((await world.runs()).length, count, 'the delivery that came again made no run');

  await say({ commit: one }, `/deploy shop ${two.slice(0, 7)}`);
  await until('the other is deployed', async () => {
    const run = await newest();
    return run?.sha === two && run.state === 'succeeded';
  });
  const back = await say({ commit: one }, '/rollback production the cart is empty');
  assert.deepEqual(back.contents, ['+1']);
  const rollback = await until('it is rolled back', async () => {
    const run = await newest();
    return run?.sha === one && run.state === 'succeeded' && run;
  });
  const { items } = await world.controller.get<{ items: { reason: string }[] }>('/pauses');
  assert.match(items[0]?.reason ?? '', /^rolled back to .*: the cart is empty$/);
  await world.settled();
  const [deployment] = await world.forge.deployments(SITE);
  assert.match(JSON.stringify(deployment?.['payload']), new RegExp(rollback.id));
  assert.match(JSON.stringify(deployment?.['description']), /the cart is empty/);
});

test('a command on a pull request is about its newest commit', async () => {
  const { number } = (await api('POST', '/issues', { title: 'A pull request' })) as JsonObject;
  const pull = Number(number);
  const head = await world.sample.commit({ message: 'change', branch: 'topic' });
  await world.sample.push(['topic', `+HEAD:refs/pull/${pull}/head`]);
  await world.sample.git('checkout', '--quiet', 'main');
  const { contents, replies } = await say({ pull }, '/deploy shop');
  assert.deepEqual([contents, replies.length], [['+1'], 1]);
  assert.equal((await newest())?.sha, head);
});

test('people without the permission and edits get a refusal, and nothing else happens (G12)', async () => {
  const commit = (await newest())?.sha ?? '';
  const before = await world.runs();
  const mallory = await say({ commit }, '/deploy production', 'mallory');
  assert.match(mallory.summary, /^Not done: mallory may not give commands/);
  const edit = { action: 'edited', changes: { body: { from: 'well done' } } };
  const edited = await say({ commit }, '/deploy production', 'demo', edit);
  assert.match(edited.summary, /^Not done: a comment that was edited gives no command/);
  for (const { contents, replies } of [mallory, edited]) {
    assert.deepEqual([contents, replies.length], [['confused'], 1]);
    assert.match(replies[0] ?? '', /^Not done&#58; /);
  }
  assert.deepEqual(await world.runs(), before);
});
