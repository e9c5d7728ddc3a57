import assert from 'node:assert/strict';
import { appendFile, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { createWorld, HUB, SITE, type World } from '../support/world.ts';

const spec = (name: string) => `
name: ${name}
repository: ${SITE}
on: push
secrets: [JOURNAL]
steps: [{ run: 'echo "$MAINSHEET_SPEC $MAINSHEET_SHA" >> "$JOURNAL"' }]
notify: [{ dispatch: { repository: ${HUB}, event-type: deployed, payload: { sha: "\${{ run.sha }}" } } }]
`;

let world: World;
let directory: string;
let journal: string;
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mainsheet-g02-'));
  journal = join(directory, 'journal');
  await appendFile(journal, '');
  world = await createWorld({
    specs: { 'two.yaml': [spec('one'), spec('two')].join('---\n') },
    // Looks for pushes itself as well: what a webhook told of is not to be found again.
    env: { MAINSHEET_SECRET_JOURNAL: journal, MAINSHEET_RECONCILE_INTERVAL: '1s' },
  });
});
after(async () => {
  await world.close();
  await rm(directory, { recursive: true, force: true });
});

test('G2 a delivery id makes its runs once, whatever is retried, replayed by GitHub or killed', async () => {
  const sha = await world.sample.commit({ message: 'Once' });
  await world.sample.push('main');
  const { id } = await world.forge.waitForDelivery(
    ({ body }) => body.includes(`"after":"${sha}"`),
    30_000,
  );
  // At once and again, before, while and after it is worked on, and by a process that knew nothing of it.
  await redeliver(id, 8);
  await world.ended(sha, 'one');
  await redeliver(id, 2);
  await world.ended(sha, 'two');
  await world.settled();
  for (let round = 0; round < 3; round += 1) {
    await world.controller.kill();
    await world.controller.restart();
    world.hear();
    await redeliver(id, 4);
  }

  // Whatever came of the redeliveries has had its turn when a later push has been deployed.
  const later = await world.sample.commit({ message: 'Later' });
  await world.sample.push('main');
  for (const name of ['one', 'two']) await world.ended(later, name);
  await world.settled();
  const lines = (await readFile(journal, 'utf8')).trim().split('\n').sort();
  assert.deepEqual(
    lines,
    [`one ${sha}`, `two ${sha}`, `one ${later}`, `two ${later}`].sort(),
    'each spec ran once for each commit',
  );
  const runs = await world.runs(`&sha=${sha}`);
  assert.deepEqual(runs.map((run) => run.spec).sort(), ['one', 'two']);
  const dispatches = await world.forge.dispatches(HUB);
  assert.equal(dispatches.length, 4);
  assert.equal((await world.forge.deployments(SITE)).length, 4);
});

async function redeliver(id: string, times: number): Promise<void> {
  const answers = await Promise.all(Array.from({ length: times }, () => world.forge.redeliver(id)));
  for (const { status, answer } of answers) {
    assert.equal(status, 202);
    assert.deepEqual(JSON.parse(answer), { delivery: id, duplicate: true });
  }
}
