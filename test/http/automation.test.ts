import assert from 'node:assert/strict';
import { test } from 'node:test';
import { missedCursor } from '../../src/controller/maintenance/schedules.ts';
import { parseSpecs } from '../../src/spec/load.ts';
import { isoTime } from '../../src/lib/clock.ts';
import { samplePreview, sampleRun } from '../store/samples.ts';
import { ADMIN_TOKEN } from '../support/admin.ts';
import { NOW, startHttp } from './fixture.ts';

const MINUTE = 60_000;
const SPECS = `
name: staging
repository: acme/storefront
environment: staging
on: { push: {} }
batch: { window: 10m, max: 50 }
steps: [{ run: make }]
---
name: production
repository: acme/storefront
environment: production
on: { deployment: { spec: staging, soak: 30m } }
gates: [{ approve: { from: [alice], count: 1 } }]
steps: [{ run: make }]
---
name: nightly
repository: acme/storefront
environment: nightly
on: { schedule: [{ cron: "0 6 * * *", timezone: Europe/Berlin, missed: skip }, { cron: "30 6 * * *" }] }
steps: [{ run: make }]
`;

test('the API tells what starts by itself, and what waits before: a soak, a gate, a batch, a schedule, a preview', async (t) => {
  const { url, store, specs } = await startHttp(t);
  specs.specs = parseSpecs('all.yaml', SPECS).specs;
  const nightly = specs.specs[2]?.spec.on.schedules ?? [];
  const laneOf = (name: string) =>
    specs.specs.find(({ spec }) => spec.name === name)?.spec.concurrency.lane ?? '';
  const run = async (id: string, more: Parameters<typeof sampleRun>[1]) =>
    await store.runs.insert(sampleRun(id, { lane: id, ...more }), ['make']);
  await run('s1', { spec: 'staging', state: 'succeeded' });
  await run('s2', { spec: 'staging', lane: laneOf('staging'), state: 'succeeded' });
  await run('p1', {
    spec: 'production',
    lane: laneOf('production'),
    state: 'blocked',
    event: 'deployment',
    delivery: 'deployment:production:s1',
    reason: '1 approval is missing',
  });
  await store.chains.add([
    { run: 's1', spec: 'production', dueAt: NOW - MINUTE },
    { run: 's2', spec: 'production', dueAt: NOW + 30 * MINUTE },
  ]);
  const delivery = 'deployment:production:s1';
  await store.chains.end({ run: 's1', spec: 'production' }, { state: 'started', delivery });
  await run('b1', { spec: 'staging', environment: 'gathered', state: 'blocked', batch: 'b1' });
  await store.batches.begin({
    run: 'b1',
    spec: 'staging',
    lane: 'b1',
    key: 'k',
    closesAt: NOW + 1,
  });
  await store.batches.add('b1', 'staging', 'd1', 10);
  // 06:00 in Berlin, which only the first of the two means.
  await run('n1', { spec: 'nightly', delivery: 'schedule:nightly:2026-01-01T05:00:00.000Z' });
  const [first] = nightly;
  assert.ok(first);
  await store.cursors.set(missedCursor('nightly', first), isoTime(NOW - 9 * MINUTE), NOW);
  await run('v1', { state: 'succeeded', outputs: { environment_url: 'javascript:alert(1)' } });
  await run('v2', { state: 'succeeded', outputs: { environment_url: 'https://pr.example' } });
  // The one is being taken down; of the other the teardown has failed.
  await run('e1', { spec: 'preview', state: 'running', delivery: 'd1' });
  await run('e4', { spec: 'preview', state: 'failed', delivery: 'd4' });
  for (const [number, state] of [
    [1, 'ending'],
    [2, 'live'],
    [3, 'ended'],
    [4, 'ending'],
  ] as const) {
    await store.previews.note(
      samplePreview({
        number,
        state,
        runId: `v${number}`,
        sha: `sha${number}`,
        fork: number === 2,
        dueAt: NOW + number,
        reason: 'it was closed',
        delivery: `d${number}`,
      }),
    );
  }

  const headers = { Authorization: `Bearer ${ADMIN_TOKEN}` };
  const answer = await fetch(`${url}/api/v1/automation`, { headers });
  assert.equal(answer.status, 200);
  const sha = 'a'.repeat(40);
  assert.deepEqual(await answer.json(), {
    chains: [
      {
        specs: [
          { spec: 'staging', environment: 'staging', state: 'blocked', sha: null },
          { spec: 'production', environment: 'production', state: 'blocked', sha: null },
        ],
        links: [
          {
            from: 'staging',
            to: 'production',
            states: ['succeeded'],
            soakSeconds: 1800,
            gates: ['1 approval by alice'],
          },
        ],
      },
    ],
    promotions: [
      {
        kind: 'gate',
        from: 'staging',
        to: 'production',
        sha,
        run: 'p1',
        at: null,
        reason: '1 approval is missing',
      },
      {
        kind: 'soak',
        from: 'staging',
        to: 'production',
        sha,
        run: 's2',
        at: isoTime(NOW + 30 * MINUTE),
        reason: 'starts when staging has been healthy for long enough',
      },
    ],
    batches: [
      {
        spec: 'staging',
        environment: 'gathered',
        key: 'k',
        events: 1,
        most: 50,
        until: isoTime(NOW + 1),
        run: 'b1',
      },
    ],
    schedules: [
      {
        spec: 'nightly',
        environment: 'nightly',
        cron: '0 6 * * *',
        timezone: 'Europe/Berlin',
        ref: null,
        missed: 'skip',
        next: [2, 3, 4].map((day) => `2026-01-0${day}T05:00:00.000Z`),
        last: { due: '2026-01-01T05:00:00.000Z', run: 'n1' },
        lastSkipped: isoTime(NOW - 9 * MINUTE),
      },
      {
        spec: 'nightly',
        environment: 'nightly',
        cron: '30 6 * * *',
        timezone: 'UTC',
        ref: null,
        missed: 'once',
        next: [2, 3, 4].map((day) => `2026-01-0${day}T06:30:00.000Z`),
        last: null,
        lastSkipped: null,
      },
    ],
    previews: [PREVIEWS.ending, PREVIEWS.live, PREVIEWS.left],
  });
  const alone = await fetch(`${url}/api/v1/previews`, { headers });
  assert.deepEqual(await alone.json(), { items: Object.values(PREVIEWS), next: null });
});

function preview(number: number) {
  return {
    spec: 'preview',
    repository: 'acme/storefront',
    number,
    sha: `sha${number}`,
    since: isoTime(1),
    until: isoTime(NOW + number),
  };
}

const PREVIEWS = {
  ending: {
    ...preview(1),
    state: 'ending',
    reason: 'it was closed',
    fork: false,
    url: null,
    run: 'v1',
  },
  live: {
    ...preview(2),
    state: 'live',
    reason: null,
    fork: true,
    url: 'https://pr.example/',
    run: 'v2',
  },
  left: {
    ...preview(4),
    state: 'left',
    reason: 'it was closed',
    fork: false,
    url: null,
    run: null,
  },
};
