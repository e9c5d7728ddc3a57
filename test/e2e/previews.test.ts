import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { runCommand } from '../commands/run-command.ts';
import { createPulls, type Pull } from '../support/pulls.ts';
import { until } from '../support/until.ts';
import { createWorld, SITE, type RunView, type World } from '../support/world.ts';

const place = await mkdtemp(join(tmpdir(), 'mainsheet-previews-'));
const spec = (name: string, on: string, more = '') => `
name: ${name}
repository: ${SITE}
environment: ${name}
on: { pull_request: ${on} }
env: { PLACE: '${place}' }
steps:
  - name: Deploy
    run: |
      cp page.txt "$PLACE/$MAINSHEET_ENVIRONMENT"
      echo "environment_url=https://$MAINSHEET_ENVIRONMENT.example/$(cat page.txt)" >> "$MAINSHEET_OUTPUT"
teardown:
  - name: Take away
    run: mv "$PLACE/$MAINSHEET_ENVIRONMENT" "$PLACE/$MAINSHEET_ENVIRONMENT.gone"
${more}`;

let world: World;
let pulls: ReturnType<typeof createPulls>;
before(async () => {
  world = await createWorld({
    specs: {
      'preview.yaml': spec('preview', '{ max: 2 }'),
      'secret.yaml': spec('secret', '{ branches: [never], forks: true }', 'secrets: [TOKEN]'),
      'forks.yaml': spec('forks', '{ branches: [never], forks: true }'),
    },
    env: { MAINSHEET_SECRET_TOKEN: 'hunter2-hunter2' },
  });
  pulls = createPulls(world, world.sample);
});
after(async () => {
  await world.close();
  await rm(place, { recursive: true });
});

const tell = (action: string, pull: Pull, repository: string = SITE, more = {}) =>
  pulls.tell(action, pull, {
    head: { ref: 'feature', sha: pull.head, repo: { full_name: repository } },
    ...more,
  });
const close = (pull: Pull) => tell('closed', pull, SITE, { state: 'closed' });
const open = async (text: string) => {
  const pull = await pulls.open({ 'page.txt': text });
  await tell('opened', pull);
  return pull;
};

async function commented({ number }: Pull, text: RegExp): Promise<string> {
  return await until(`a comment that says ${text}`, async () => {
    const comments = await pulls.commentsOn(number);
    assert.ok(comments.length < 2, comments.join('\n'));
    return text.test(comments[0] ?? '') && comments[0];
  });
}

async function teardownsOf({ number }: Pull): Promise<RunView[]> {
  return (await world.runs(`&spec=preview`)).filter(
    ({ environment, delivery }) =>
      environment === `preview-${number}` && delivery.startsWith('teardown:'),
  );
}

test('a pull request is deployed and commented, changed in place with it, and taken down when it is closed', async () => {
  const opened = await open('one');
  const { number } = opened;
  await commented(
    opened,
    new RegExp(`at \`${opened.head.slice(0, 7)}\`: <https://preview-${number}.example/one>`),
  );
  assert.equal(await readFile(join(place, `preview-${number}`), 'utf8'), 'one');

  const pushed = await pulls.push(number, { 'page.txt': 'two' });
  await tell('synchronize', pushed);
  await commented(pushed, new RegExp(`<https://preview-${number}.example/two>`));

  const delivery = await close(pushed);
  await commented(pushed, /is taken down/);
  assert.equal(await readFile(join(place, `preview-${number}.gone`), 'utf8'), 'two');
  const { summary } = await world.explained(delivery);
  assert.equal(summary, `Pull request #${number} is closed: its previews are taken down`);
  const [run, ...more] = await teardownsOf(opened);
  assert.deepEqual([run?.sha, run?.state, more.length], [pushed.head, 'succeeded', 0]);
  assert.equal(run?.reason, 'Taken down');
  const going = await world.explained(run.delivery);
  assert.equal(going.summary, `Taking down preview-${number}`);
  await world.settled();
  const deployments = await world.forge.deployments(SITE);
  const states = deployments
    .filter(({ environment }) => environment === `preview-${number}`)
    .map(({ statuses }) => statuses[0]?.['state']);
  assert.deepEqual(states, ['inactive', 'inactive']);

  const [deployed] = await world.runs(`&spec=preview&sha=${opened.head}`);
  assert.ok(deployed);
  for (const what of ['retry', 'rollback']) {
    const { status } = await world.controller.post(`/runs/${deployed.id}/${what}`);
    assert.equal(status, 409, `${what} of what is gone`);
  }
  const why = await runCommand(['why', opened.head, '--repository', SITE], {
    env: { MAINSHEET_URL: world.controller.url },
  });
  assert.match(why.stdout, new RegExp(`Deployed to preview-${number} by run \\w+, and taken down`));
});

test('of a fork nothing is run that has secrets, or that could read those of Mainsheet', async () => {
  const pull = await pulls.open({ 'page.txt': 'strange' });
  const delivery = await tell('opened', pull, 'mallory/storefront', {
    base: { ref: 'never' },
  });
  const { specs } = await world.explained(delivery);
  const said = Object.fromEntries(
    specs.map(({ spec: name, run, reasons }) => [
      name,
      `${run}: ${reasons.find(({ held }) => !held)?.detail}`,
    ]),
  );
  const name = `pull request #${pull.number}`;
  assert.equal(
    said['preview'],
    `null: ${name} is of a fork, and the spec does not say forks: true`,
  );
  assert.match(
    said['secret'] ?? '',
    /^null: .*the spec has secrets: a fork's code never runs with them$/,
  );
  assert.match(
    said['forks'] ?? '',
    /^null: a fork's code runs only where steps have a user of their own/,
  );
  assert.equal(existsSync(join(place, `forks-${pull.number}`)), false);
});

test('there are no more previews than the spec says, until one is taken down', async () => {
  const first = await open('a');
  const second = await open('b');
  await commented(second, /example\/b/);
  const third = await pulls.open({ 'page.txt': 'c' });
  const refused = await world.explained(await tell('opened', third));
  assert.equal(
    refused.summary,
    'Not deployed: preview has 2 previews, and no more than 2 at once (max)',
  );
  await close(first);
  await commented(first, /is taken down/);
  await tell('synchronize', third);
  await commented(third, /example\/c/);
  for (const pull of [second, third]) {
    await close(pull);
    await commented(pull, /is taken down/);
  }
});

test('a preview whose controller is killed at each place of its end is taken down after that, once', async () => {
  const pull = await open('killed');
  await commented(pull, /example/);
  await world.settled();
  await world.controller.stop();
  const places = ['intake.inside', 'intake.inside:2', 'end.before', 'end.after'];
  await world.survives(places, () => close(pull));
  await commented(pull, /is taken down/);
  await world.settled();
  assert.deepEqual(
    (await teardownsOf(pull)).map(({ state }) => state),
    ['succeeded'],
  );
});
