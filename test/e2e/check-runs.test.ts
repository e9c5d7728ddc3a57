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
secrets: [TOKEN]
feedback: [check]
steps:
  - { name: Build, run: echo built }
  - name: Test
    run: |
      printf '\\033[31m%s\\033[0m\\n' "with $TOKEN"
      echo 'src/app.ts(3,7): error TS2304: Cannot find name x.'
      test -e fixed
`;

let world: World;
before(async () => {
  world = await createWorld({
    specs: { 'shop.yaml': SPEC },
    env: { MAINSHEET_SECRET_TOKEN: 'hunter2-hunter2' },
    credentials: 'app',
    forge: { app: true },
  });
});
after(() => world.close());

async function push(message: string): Promise<string> {
  const sha = await world.sample.commit({ message, branch: 'main' });
  await world.sample.push('main');
  return sha;
}

/** What GitHub shows of a run, when its check run is complete. It numbers check runs from 1. */
async function checkOf(run: string): Promise<JsonObject> {
  return await until(`the check run of ${run} is complete`, async () => {
    for (let id = 1; id <= 3; id += 1) {
      const url = `${world.forge.url}/repos/${SITE}/check-runs/${id}`;
      const headers = { authorization: `Bearer ${world.forge.token}` };
      const answer = await fetch(url, { headers });
      const check = (await answer.json()) as JsonObject;
      if (check['external_id'] === run) return check['status'] === 'completed' && check;
    }
    return undefined;
  });
}

/** GitHub's example of a button that was pressed, on this check run, by this person. */
function pressed(check: JsonObject, run: string, identifier: string, login: string): Json {
  const path = createRequire(import.meta.url).resolve('@octokit/webhooks-examples');
  const definitions = JSON.parse(readFileSync(path, 'utf8')) as {
    name: string;
    examples: JsonObject[];
  }[];
  const example = definitions
    .find(({ name }) => name === 'check_run')
    ?.examples.find(({ action }) => action === 'requested_action');
  assert.ok(example);
  const told = world.forge.deliveries.find(({ event }) => event === 'push');
  const { repository } = JSON.parse(told?.body ?? '{}') as JsonObject;
  return {
    ...example,
    repository: repository ?? null,
    sender: { ...(example['sender'] as JsonObject), login },
    requested_action: { identifier },
    check_run: {
      ...(example['check_run'] as JsonObject),
      id: check['id'] ?? null,
      head_sha: check['head_sha'] ?? null,
      external_id: run,
    },
  };
}

test('a check run whose making was not answered is found again, and the run has one', async () => {
  const { forge } = world;
  forge.faults.next({ method: 'POST', path: /\/check-runs$/ }, 'lost-answer');
  const run = await world.ended(await push('lost'));
  await world.settled();
  assert.equal(forge.faults.left(), 0);
  assert.equal((await checkOf(run.id))['conclusion'], 'failure');
  const made = forge.journal.filter(
    ({ method, path }) => method === 'POST' && path.endsWith('/check-runs'),
  );
  assert.equal(made.length, 1);
});

test('a run has one check run, whose buttons do what they say for those who may', async () => {
  const sha = await push('a');
  const run = await world.ended(sha);
  const check = await checkOf(run.id);
  const { output } = check as { output: JsonObject };
  assert.equal(check['conclusion'], 'failure');
  assert.match(textAt(output, 'summary'), /\| Build \| succeeded \| \d/);
  assert.match(textAt(output, 'text'), /\nwith \*\*\*\nsrc\/app\.ts/);
  assert.equal(output['annotations_count'], 1);

  const refused = await world.forge.deliver(
    'check_run',
    pressed(check, run.id, 'retry', 'mallory'),
  );
  assert.match((await world.explained(refused.id)).summary, /^Not done: @mallory may not retry/);
  await world.settled();
  const shown = ((await checkOf(run.id)) as { output: JsonObject }).output;
  assert.match(textAt(shown, 'summary'), /^> &#64;&#8203;mallory may not retry/);
  assert.equal((await world.runs()).length, 2);

  const taken = await world.forge.deliver('check_run', pressed(check, run.id, 'retry', 'demo'));
  assert.match((await world.explained(taken.id)).summary, /^@demo asked to retry/);
  const [again] = await world.runs();
  assert.ok(again && again.id !== run.id && again.sha === sha);
  assert.notEqual((await checkOf(again.id))['id'], check['id']);
});
