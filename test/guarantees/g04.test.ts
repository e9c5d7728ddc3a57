import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { until } from '../support/until.ts';
import { createWorld, SITE, type World } from '../support/world.ts';

/** Each deploy waits for a file, so that the test decides when it ends. */
const SPEC = `
name: site
repository: ${SITE}
on: push
secrets: [GATES]
steps: [{ run: 'until [ -e "$GATES/$MAINSHEET_SHA" ]; do sleep 0.05; done' }]
`;

let world: World;
let gates: string;
before(async () => {
  gates = await mkdtemp(join(tmpdir(), 'mainsheet-g04-'));
  world = await createWorld({
    specs: { 'site.yaml': SPEC },
    env: { MAINSHEET_SECRET_GATES: gates },
  });
});
after(async () => {
  await world.close();
  await rm(gates, { recursive: true, force: true });
});

describe('G4 newest wins; what is already contained in the deployed revision is superseded', () => {
  test('of those that wait only the newest is deployed', async () => {
    const [first, second, third, fourth] = await pushEach(['first', 'second', 'third', 'fourth']);
    await open(first);
    await open(fourth);
    assert.equal((await world.ended(first)).state, 'succeeded');
    assert.equal((await world.ended(fourth)).state, 'succeeded');
    for (const sha of [second, third]) {
      const run = await world.ended(sha);
      assert.equal(run.state, 'superseded');
      const said = await world.statusOf(sha, 'mainsheet/site', 'error');
      assert.match(said, /^Superseded by /);
    }
    assert.equal(await deployed(), fourth);
  });

  test('an older push that arrives after the newer was deployed is superseded, and GitHub hears by what', async () => {
    const { sha: older, deliver } = await world.pushUnheard('main', 'older');
    const [newer] = await pushEach(['newer']);
    await open(newer);
    assert.equal((await world.ended(newer)).state, 'succeeded');
    await deliver();
    // Were it deployed, it would not wait.
    await open(older);
    const run = await world.ended(older);
    assert.equal(run.state, 'superseded');
    const why = `Superseded: ${older.slice(0, 7)} is already contained in the deployed ${newer.slice(0, 7)}`;
    assert.equal(run.reason, why);
    assert.equal(await world.statusOf(older, 'mainsheet/site', 'error'), why);
    assert.equal(await deployed(), newer);
  });
});

const open = (sha: string) => writeFile(join(gates, sha), '');

async function deployed(): Promise<string | undefined> {
  const { items } = await world.controller.get<{ items: { sha: string }[] }>('/environments');
  return items[0]?.sha;
}

/** Pushes a commit for each message, and waits until each waits or runs. */
async function pushEach<const Messages extends readonly string[]>(
  messages: Messages,
): Promise<{ [Index in keyof Messages]: string }> {
  const shas: string[] = [];
  for (const message of messages) {
    const sha = await world.sample.commit({ message });
    await world.sample.push('main');
    await until('there is a run', async () => (await world.runs(`&sha=${sha}`)).length === 1);
    if (shas.length === 0) {
      await until('the first runs', async () =>
        (await world.runs(`&sha=${sha}`)).some(({ state }) => state === 'running'),
      );
    }
    shas.push(sha);
  }
  return shas as { [Index in keyof Messages]: string };
}
