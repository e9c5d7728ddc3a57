import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import { textAt, type Json, type JsonObject } from '../../demo/json.ts';
import { runCommand } from '../commands/run-command.ts';
import { until } from '../support/until.ts';
import { createWorld, SITE, type World } from '../support/world.ts';

let world: World;
let sha: string;
before(async () => {
  world = await createWorld({
    specs: {
      'shop.yaml': `
name: shop
repository: ${SITE}
environment: production
on: { push: { branches: [none] } }
gates: [{ approve: { timeout: 1h } }]
steps: [{ run: exit 1 }]
---
name: frozen
repository: ${SITE}
environment: frozen
on: { push: { branches: [none] } }
gates: [{ window: { deny: ["2020-01-01/2199-12-31"] } }]
steps: [{ run: exit 1 }]
`,
    },
    credentials: 'app',
    forge: { app: true },
  });
  sha = await world.sample.commit({ message: 'built by Actions' });
  await world.sample.push('main');
  await world.explainedPush(sha);
});
after(() => world.close());

const mainsheet = (...argv: string[]) =>
  runCommand(argv, { env: { MAINSHEET_URL: world.controller.url } });

/** A job of Actions asks whether it may deploy, and waits. */
async function ask(workflowRun: number, environment: string) {
  const payload = world.forge.protectionRule(SITE, { sha, environment, workflowRun });
  const delivery = await world.forge.deliver('deployment_protection_rule', payload);
  const explained = await world.explained(delivery.id);
  return { ...explained, run: explained.specs.find(({ matched }) => matched)?.run ?? '' };
}

/** What GitHub was answered, when it was. */
async function answerTo(workflowRun: number): Promise<JsonObject> {
  return await until(`workflow run ${workflowRun} is answered`, async () =>
    (await reviewsOf(workflowRun)).find(({ state }) => state !== undefined),
  );
}

const reviewsOf = async (workflowRun: number) =>
  (await world.forge.reviews(SITE)).filter((one) => one['run_id'] === String(workflowRun));

/** GitHub's example of an answer on its own page, by this person. */
function reviewed(workflowRun: number, action: string, login: string): Json {
  const path = createRequire(import.meta.url).resolve('@octokit/webhooks-examples');
  const definitions = JSON.parse(readFileSync(path, 'utf8')) as {
    name: string;
    examples: JsonObject[];
  }[];
  const example = definitions.find(({ name }) => name === 'deployment_review')?.examples[0];
  assert.ok(example);
  const { repository, sender } = world.forge.protectionRule(SITE, {
    sha,
    environment: 'production',
    workflowRun,
  });
  const { environment: _, requestor: __, ...rest } = example;
  return {
    ...rest,
    action,
    repository: repository ?? null,
    approver: { ...(sender as JsonObject), login },
    comment: 'seen on staging',
    workflow_job_runs: [{ id: 1, environment: 'production' }],
    workflow_run: { ...(example['workflow_run'] as JsonObject), id: workflowRun, head_sha: sha },
  };
}

test('a job of Actions waits at the gates of the environment, and is let go on once when they are open', async () => {
  const { summary, run } = await ask(101, 'Production');
  assert.match(summary, /^The job of Actions waits for shop\. Waiting for 1 approval by people/);
  const waiting = await until('GitHub shows what it waits for', async () =>
    (await reviewsOf(101)).at(0),
  );
  assert.equal(waiting['state'], undefined);
  assert.match(textAt(waiting, 'comment'), /^Waiting for 1 approval/);
  const why = await mainsheet('why', sha, '--repository', SITE);
  assert.match(why.stdout, /A job of GitHub Actions waits for run .*: Waiting for 1 approval/);

  const approved = await mainsheet('approve', run, '--reason', 'looks good');
  assert.match(approved.stdout, /is succeeded\. The job of Actions may deploy\. Approved by admin/);
  const answer = await answerTo(101);
  assert.deepEqual(
    { ...answer, comment: undefined },
    { run_id: '101', environment_name: 'Production', state: 'approved', comment: undefined },
  );
  await world.settled();
  assert.equal((await reviewsOf(101)).length, 2, 'answered once');
  assert.equal(await world.log(run), '', 'no step of the spec has run');
  const retried = await mainsheet('retry', run);
  assert.match(retried.stderr, /which only GitHub runs again/);
});

test('what people answer on GitHub counts for the gates, if they may write', async () => {
  const { run } = await ask(102, 'production');
  await world.forge.deliver('deployment_review', reviewed(102, 'approved', 'mallory'));
  const refused = await until('it is refused', async () =>
    (
      await world.controller.get<{ items: { action: string; subject: string }[] }>('/audit')
    ).items.find(({ subject }) => subject === run),
  );
  assert.equal(refused.action, 'run.approve.refused');
  await world.forge.deliver('deployment_review', reviewed(102, 'rejected', 'demo'));
  const answer = await answerTo(102);
  assert.equal(answer['state'], 'rejected');
  assert.match(textAt(answer, 'comment'), /^Rejected by demo&#58; seen on staging/);
});

test('an overridden freeze says who and why, and lets the job go on; an answer that GitHub took and did not confirm counts', async () => {
  const { run, summary } = await ask(103, 'frozen');
  assert.match(summary, /Frozen \(2020-01-01/);
  await world.settled();
  world.forge.faults.next(
    { method: 'POST', path: /\/runs\/103\/deployment_protection_rule$/ },
    'lost-answer',
  );
  await mainsheet('override', run, '--reason', 'fixes the outage');
  const answer = await answerTo(103);
  assert.equal(answer['state'], 'approved');
  assert.match(textAt(answer, 'comment'), /Window overridden by admin&#58; fixes the outage/);
  await world.settled();
  assert.equal(world.forge.faults.left(), 0);
  const { callbacks } = await world.controller.get<{ callbacks: { state: string }[] }>(
    `/runs/${run}`,
  );
  assert.deepEqual(
    callbacks.map(({ state }) => state),
    ['sent', 'sent'],
  );
});

test('what a person answers counts once, and GitHub is answered once, although the controller dies at each place of it (G6)', async () => {
  const { run } = await ask(110, 'production');
  await world.settled();
  await world.controller.stop();
  await world.survives(['gate.inside', 'gate.after', 'callback.sent'], () =>
    world.forge.deliver('deployment_review', reviewed(110, 'approved', 'demo')),
  );
  assert.equal((await answerTo(110))['state'], 'approved');
  await world.settled();
  const states = (await reviewsOf(110)).map(({ state }) => state);
  assert.deepEqual(
    states.filter((state) => state !== undefined),
    ['approved'],
  );
  const { gates } = await world.controller.get<{ gates: { answers: { by: string }[] }[] }>(
    `/runs/${run}`,
  );
  assert.deepEqual(
    gates.flatMap(({ answers }) => answers.map(({ by }) => by)),
    ['demo'],
  );
});

test('an address of another server is not answered, nor is an environment without gates', async () => {
  const payload = world.forge.protectionRule(SITE, {
    sha,
    environment: 'production',
    workflowRun: 104,
  });
  const foreign = textAt(payload, 'deployment_callback_url').replace(
    world.forge.url,
    'https://evil.example',
  );
  const { id } = await world.forge.deliver('deployment_protection_rule', {
    ...payload,
    deployment_callback_url: foreign,
  });
  const explained = await world.explained(id);
  assert.equal(explained.state, 'failed');
  assert.match(explained.summary, /https:\/\/evil\.example, which is not GITHUB_API_URL/);
  const other = await ask(105, 'staging');
  assert.match(other.summary, /^Not answered, .*: the job waits at staging, the spec deploys to/);
  await world.settled();
  assert.deepEqual([...(await reviewsOf(104)), ...(await reviewsOf(105))], []);
});
