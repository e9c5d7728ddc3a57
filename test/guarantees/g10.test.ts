import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { until } from '../support/until.ts';
import { createWorld, SITE, type World } from '../support/world.ts';

const PER_MINUTE = 6;
const NAMES = ['one', 'two', 'three', 'four'];
/** A little less than a minute: the budget counts when a request leaves, GitHub when it arrives. */
const WINDOW_MS = 59_000;

const spec = (name: string) => `
name: ${name}
repository: ${SITE}
on: push
steps: [{ run: 'true' }]
`;

let world: World;
before(async () => {
  world = await createWorld({
    specs: { 'four.yaml': NAMES.map(spec).join('---\n') },
    env: { MAINSHEET_GITHUB_WRITES_PER_MINUTE: String(PER_MINUTE) },
  });
});
after(() => world.close());

test("G10 GitHub's limits are respected by budget, not discovered by error", async () => {
  const sha = await world.sample.commit({ message: 'More to tell than may be told' });
  await world.sample.push('main');
  for (const name of NAMES) assert.equal((await world.ended(sha, name)).state, 'succeeded');
  await until('the budget of this minute is used up', async () => (await left()) === 0);
  // Stopped in peace: what is under way arrives before anything is counted.
  assert.equal(await world.controller.stop(), 0);
  assertWithinBudget();

  await world.controller.restart();
  await until('a new process has counted what the old one sent', async () => (await left()) === 0);
  const { items } = await world.controller.get<{ items: unknown[] }>('/outbox?state=pending');
  assert.ok(items.length > 0, 'the rest waits');
  assert.equal(await world.controller.stop(), 0);
  assertWithinBudget();
});

function assertWithinBudget(): void {
  const times = world.forge.journal
    .filter(({ method, path }) => method === 'POST' && path.startsWith('/repos/'))
    .map(({ at }) => at);
  const most = Math.max(
    ...times.map((start) => times.filter((at) => at >= start && at < start + WINDOW_MS).length),
  );
  assert.ok(most <= PER_MINUTE, `${most} writes within a minute`);
  const refused = world.forge.journal.filter(({ status }) => status === 403 || status === 429);
  assert.deepEqual(refused, []);
}

/** What the metrics say may still be written in this minute. */
async function left(): Promise<number | undefined> {
  const text = await (await fetch(`${world.controller.url}/metrics`)).text();
  const line = text.split('\n').find((one) => /^mainsheet_github_writes_left\{.*minute/.test(one));
  return line === undefined ? undefined : Number(line.split(' ').at(-1));
}
