import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { textAt, type JsonObject } from '../../demo/json.ts';
import { createPulls } from '../support/pulls.ts';
import { createWorld, SITE, type World } from '../support/world.ts';

const SECRET = 'hunter2-hunter2';
const SPEC = `
name: shop
repository: ${SITE}
on: { push: { branches: [main], paths: ['src/**'] } }
plan: true
secrets: [TOKEN]
gates: [{ approve: { from: [alice] } }]
steps:
  - { name: 'Build <b>@all</b>', run: './run-me && echo $TOKEN' }
`;

let world: World;
let pulls: ReturnType<typeof createPulls>;
before(async () => {
  world = await createWorld({
    specs: { 'shop.yaml': SPEC },
    env: { MAINSHEET_SECRET_TOKEN: SECRET },
    credentials: 'app',
    forge: { app: true },
  });
  pulls = createPulls(world, world.sample);
});
after(() => world.close());

test('a pull request has one check run and one comment, which are changed with it', async () => {
  const opened = await pulls.open({ 'src/a.js': 'x' });
  await pulls.tell('opened', opened);
  const first = await pulls.saidOf(opened);
  assert.match(first.text, /deploys `shop`\./);
  assert.match(first.text, /✓ `on.push.paths`: `src\/a.js matches src\/\*\*`/);
  assert.match(first.text, /- Waits for: `1 approval by alice`/);
  assert.equal(first.check['conclusion'], 'success');
  assert.equal(textAt(first.check['output'] as JsonObject, 'title'), 'Merging deploys shop');

  const pushed = await pulls.push(opened.number, { 'src/a.js': null, 'README.md': 'other\n' });
  await pulls.tell('synchronize', pushed);
  const second = await pulls.saidOf(pushed);
  assert.match(second.text, /deploys nothing/);
  assert.match(second.text, /✗ `on.push.paths`/);

  await pulls.tell('reopened', pushed);
  await world.settled();
  assert.equal((await pulls.checksOf(pushed.head)).length, 1);
});

test('nothing of a fork is run, and what it says brings no secret, mention or markup with it', async () => {
  const mark = join(world.controller.dataDir, 'was-run');
  const script = `#!/bin/sh\ntouch ${mark}\necho $TOKEN\n`;
  const hostile = await pulls.open({
    'src/`@everyone` <img src=x> $(touch x)\n# heading': 'x',
    'src/.gitattributes': '* filter=evil\n',
    '.gitconfig': `[filter "evil"]\n\tsmudge = touch ${mark}\n`,
    'run-me': { executable: script },
    '.githooks/post-checkout': { executable: script },
  });
  await pulls.tell('opened', hostile, { title: '@everyone <img src=x> `$TOKEN`' });
  const { text, check } = await pulls.saidOf(hostile);
  assert.match(text, /deploys `shop`\./);
  for (const said of [text, textAt(check['output'] as JsonObject, 'summary')]) {
    const outside = said.replaceAll(/`[^`\n]*`/g, '').replaceAll(/<\/?details>|<\/?summary>/g, '');
    assert.doesNotMatch(outside.replace(/<!-- mainsheet: plan \w+ -->$/, ''), /[@<>]|heading$/m);
    assert.doesNotMatch(said, new RegExp(`${SECRET}|echo|@(?!\u200b)`));
  }
  await world.settled();
  assert.equal(existsSync(mark), false);
  assert.equal((await world.runs()).length, 0);
  const written = JSON.stringify(world.forge.journal.map(({ body }) => body ?? null));
  assert.ok(!written.includes(SECRET));
});

test('a comment whose sender was killed before it noted it is changed, not made again', async () => {
  const pull = await pulls.open({ 'src/a.js': 'killed' });
  await world.settled();
  await world.controller.stop();
  await world.survives(['callback.before', 'callback.sent'], () => pulls.tell('opened', pull));
  await pulls.saidOf(pull);
  const pushed = await pulls.push(pull.number, { 'src/b.js': 'killed' });
  await pulls.tell('synchronize', pushed);
  await pulls.saidOf(pushed);
  await world.settled();
  assert.equal((await pulls.commentsOn(pull.number)).length, 1);
});

test('a pull request that is closed is left alone, and one that is told of too late', async () => {
  const pull = await pulls.open({ 'src/a.js': 'closed' });
  await pulls.tell('closed', pull, { state: 'closed', updated_at: '2027-01-01T00:00:00Z' });
  const late = await pulls.tell('synchronize', pull, { state: 'open' });
  assert.match((await world.explained(late)).summary, /was told of before/);
  const other = await pulls.open({ 'src/a.js': 'other' });
  await pulls.tell('opened', other);
  await pulls.saidOf(other);
  await world.settled();
  assert.deepEqual(await pulls.commentsOn(pull.number), []);
});

test('a repository whose specs do not ask for it hears nothing', async () => {
  const { sample } = world;
  const hub = createPulls(world, { ...sample, repository: 'acme/hub' });
  const id = await hub.tell('opened', { number: 1, head: 'a'.repeat(40) });
  const { summary } = await world.explained(id);
  assert.match(summary, /no deployment spec of acme\/hub says plan: true/);
});
