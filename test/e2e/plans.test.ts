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
on: { push: { branches: [main], paths: ['src/**'] } }
plan: true
secrets: [TOKEN]
gates: [{ approve: { from: [alice] } }]
steps:
  - { name: 'Build <b>@all</b>', run: 'touch /tmp/never && echo $TOKEN' }
`;
const SECRET = 'hunter2-hunter2';

let world: World;
before(async () => {
  world = await createWorld({
    specs: { 'shop.yaml': SPEC },
    env: { MAINSHEET_SECRET_TOKEN: SECRET },
    credentials: 'app',
    forge: { app: true },
  });
});
after(() => world.close());

let changedAt = Date.parse('2026-01-01T00:00:00Z');

/** GitHub's example of an event of a pull request, of this one. */
function told(
  action: string,
  facts: { number: number; head: string; branch: string; fork?: true; state?: string },
): Json {
  const path = createRequire(import.meta.url).resolve('@octokit/webhooks-examples');
  const definitions = JSON.parse(readFileSync(path, 'utf8')) as {
    name: string;
    examples: JsonObject[];
  }[];
  const example = definitions
    .find(({ name }) => name === 'pull_request')
    ?.examples.find((one) => one['action'] === action);
  assert.ok(example);
  const pull = example['pull_request'] as JsonObject;
  const { number, head, branch, state = 'open' } = facts;
  const repository = { ...(example['repository'] as JsonObject), id: 1, full_name: SITE };
  changedAt += 1000;
  return {
    ...example,
    number,
    repository: { ...repository, default_branch: 'main' },
    pull_request: {
      ...pull,
      number,
      state,
      draft: false,
      title: 'A title for @everyone <img src=x>',
      updated_at: new Date(changedAt).toISOString(),
      base: { ...(pull['base'] as JsonObject), ref: 'main' },
      head: { ...(pull['head'] as JsonObject), ref: branch, sha: head },
    },
  };
}

async function api(method: string, path: string, body?: Json): Promise<Json> {
  const answer = await fetch(`${world.forge.url}/repos/${SITE}${path}`, {
    method,
    headers: { authorization: `Bearer ${world.forge.token}` },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  assert.ok(answer.ok, `${method} ${path}: ${answer.status}`);
  return (await answer.json()) as Json;
}

/** A pull request of these files, which GitHub has at its own ref alone, as it has those of forks. */
async function pull(files: Record<string, string>): Promise<{ number: number; head: string }> {
  const { number } = (await api('POST', '/issues', { title: 'A pull request' })) as JsonObject;
  const head = await change(Number(number), files);
  return { number: Number(number), head };
}

async function change(number: number, files: Record<string, string>): Promise<string> {
  const { sample } = world;
  const head = await sample.commit({ message: 'change', branch: `pull-${number}`, files });
  await sample.push(`+HEAD:refs/pull/${number}/head`);
  await sample.git('checkout', '--quiet', 'main');
  return head;
}

async function commentsOn(number: number): Promise<string[]> {
  const comments = (await api('GET', `/issues/${number}/comments?per_page=100`)) as JsonObject[];
  return comments.map((comment) => textAt(comment, 'body'));
}

async function checksOf(sha: string): Promise<JsonObject[]> {
  const answer = (await api('GET', `/commits/${sha}/check-runs?filter=all`)) as JsonObject;
  return answer['check_runs'] as JsonObject[];
}

/** Waits until the one comment on a pull request, and the one check run, speak of this commit. */
async function saidOf(number: number, head: string): Promise<{ text: string; check: JsonObject }> {
  return await until(`the plan of ${number} at ${head}`, async () => {
    const comments = await commentsOn(number);
    const [check, ...more] = await checksOf(head);
    if (check === undefined || !comments.some((text) => text.includes(head.slice(0, 7)))) return;
    assert.deepEqual([comments.length, more.length], [1, 0]);
    return { text: comments[0] ?? '', check };
  });
}

test('a pull request has one check run and one comment, which are changed with it', async () => {
  const { number, head } = await pull({ 'src/a.js': 'x' });
  await world.forge.deliver('pull_request', told('opened', { number, head, branch: 'x`y' }));
  const first = await saidOf(number, head);
  assert.match(first.text, /deploys `shop`\./);
  assert.match(first.text, /✓ `on.push.paths`: `src\/a.js matches src\/\*\*`/);
  assert.match(first.text, /- Waits for: `1 approval by alice`/);
  assert.equal(first.check['conclusion'], 'success');
  assert.equal(textAt(first.check['output'] as JsonObject, 'title'), 'Merging deploys shop');
  assert.doesNotMatch(first.text, /@(?!\u200b)|hunter2|touch/);

  const next = await change(number, { 'src/a.js': null as never, 'README.md': 'other\n' });
  const event = told('synchronize', { number, head: next, branch: 'x`y' });
  await world.forge.deliver('pull_request', event);
  const second = await saidOf(number, next);
  assert.match(second.text, /deploys nothing/);
  assert.match(second.text, /✗ `on.push.paths`/);
  await world.settled();
  assert.equal((await world.runs()).length, 0);
});
