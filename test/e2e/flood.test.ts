import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { asAdmin } from '../support/admin.ts';
import { until } from '../support/until.ts';
import { createWorld, SITE, type World } from '../support/world.ts';

const MB = 1_000_000;
/** What the step prints at least: as much as two seconds of 100 MB each, twenty times what the log holds. */
const FLOOD = 200 * MB;
/** What the process may take more than before: the log's bound, what is on its way, and what the collector has not taken yet. */
const MOST_GROWTH = 250 * MB;

const SPECS = `
name: flood
repository: ${SITE}
on: { push: { branches: [flood] } }
secrets: [NOTES]
limits: { files: 1000 }
steps:
  - name: Print
    run: |
      for to in /dev/stdout /dev/stderr; do
        yes "a line of the log that says nothing new, but is as long as such lines are" | head -c ${FLOOD / 2} > $to || true
      done
      until [ -e "$NOTES/go-on" ]; do yes "and still more of it" | head -c 1000000 || true; done
      # On both: which of two pipes is read last is not known.
      for to in /dev/stdout /dev/stderr; do echo this is the end > $to; done
---
name: other
repository: ${SITE}
on: { push: { branches: [other] } }
steps: [{ run: echo other }]
`;

let world: World;
let notes: string;
before(async () => {
  notes = await mkdtemp(join(tmpdir(), 'mainsheet-notes-'));
  world = await createWorld({
    specs: { 'all.yaml': SPECS },
    env: { MAINSHEET_SECRET_NOTES: notes },
  });
});
after(async () => {
  await world.close();
  await rm(notes, { recursive: true, force: true });
});

test(
  'a step that prints without end fills its log up to the bound and nothing else, and everybody else goes on',
  { skip: process.platform !== 'linux' && 'the memory of a process is read from /proc' },
  async () => {
    const before = await memory('VmRSS');
    const sha = await world.sample.commit({ message: 'Flood', branch: 'flood' });
    await world.sample.push('flood');
    const run = await until('the step prints', async () => {
      const [found] = await world.runs(`&sha=${sha}`);
      return found !== undefined && (await isFull(found.id)) && found;
    });

    const other = await world.sample.commit({ message: 'Other', branch: 'other' });
    await world.sample.push('other');
    assert.equal((await world.explainedPush(other)).state, 'processed');
    assert.equal((await world.ended(other, 'other')).state, 'succeeded');
    assert.equal((await world.runs(`&sha=${sha}`))[0]?.state, 'running');

    await writeFile(join(notes, 'go-on'), '');
    assert.equal((await world.ended(sha)).state, 'succeeded');
    const log = await world.log(run.id);
    assert.ok(log.length > 10 * MB && log.length < 11 * MB, `${log.length} bytes`);
    const omitted = /… (\d+)\.\d MiB of output left out: the log is limited to 10\.0 MiB/.exec(log);
    assert.ok(Number(omitted?.[1]) > FLOOD / MB / 2, 'the log says how much is missing');
    assert.match(log, /this is the end\n/);

    const grown = (await memory('VmHWM')) - before;
    assert.ok(grown < MOST_GROWTH, `the process has grown by ${Math.round(grown / MB)} MB`);
  },
);

/** Whether the log has reached its bound: pieces have numbers, so that its end can be asked for. */
async function isFull(run: string): Promise<boolean> {
  const response = await asAdmin(`${world.controller.url}/api/v1/runs/${run}/log`);
  let length = 0;
  for await (const chunk of response.body ?? []) length += (chunk as Uint8Array).length;
  return length > 10 * MB;
}

/** In bytes: `VmRSS` what the controller takes now, `VmHWM` the most that it ever took. */
async function memory(field: 'VmRSS' | 'VmHWM'): Promise<number> {
  const status = await readFile(`/proc/${world.controller.pid}/status`, 'utf8');
  return Number(new RegExp(`${field}:\\s+(\\d+) kB`).exec(status)?.[1]) * 1024;
}
