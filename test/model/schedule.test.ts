import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nextTime } from '../../src/model/schedule.ts';
import { parseSpecs } from '../../src/spec/load.ts';

/** As the spec has it that says so. */
function schedule(cron: string, timezone = 'UTC') {
  const { specs, problems } = parseSpecs(
    'shop.yaml',
    `name: shop
repository: acme/shop
on: { schedule: { cron: "${cron}", timezone: ${timezone} } }
steps: [{ run: "true" }]
`,
  );
  assert.deepEqual(problems, []);
  const [trigger] = specs[0]?.spec.on.schedules ?? [];
  assert.ok(trigger);
  return trigger;
}

/** The next times after each other. */
function times(cron: string, timezone: string, after: string, count: number): string[] {
  const trigger = schedule(cron, timezone);
  const found: string[] = [];
  for (let at = Date.parse(after); found.length < count;) {
    at = nextTime(trigger, at) ?? Infinity;
    found.push(new Date(at).toISOString().slice(0, 16));
  }
  return found;
}

for (const [what, cron, timezone, after, ...expected] of [
  [
    'weekdays, over a weekend',
    '0 6 * * 1-5',
    'UTC',
    '2026-11-27T06:00Z',
    '2026-11-30T06:00',
    '2026-12-01T06:00',
  ],
  [
    'the clock of a time zone, on both sides of summer time',
    '0 6 * * *',
    'Europe/Berlin',
    '2026-10-23T12:00Z',
    '2026-10-24T04:00',
    '2026-10-25T05:00',
  ],
  [
    'an hour that summer time skips is made up for after it',
    '30 2 * * *',
    'Europe/Berlin',
    '2026-03-28T12:00Z',
    '2026-03-29T01:30',
    '2026-03-30T00:30',
  ],
  [
    'an hour that comes twice counts once, the first time',
    '30 2 * * *',
    'Europe/Berlin',
    '2026-10-24T12:00Z',
    '2026-10-25T00:30',
    '2026-10-26T01:30',
  ],
  [
    'the same west of Greenwich',
    '30 1 * * *',
    'America/New_York',
    '2026-10-31T12:00Z',
    '2026-11-01T05:30',
    '2026-11-02T06:30',
  ],
  [
    'what is for every hour goes on through the hour that comes twice',
    '0,30 * * * *',
    'Europe/Berlin',
    '2026-10-25T00:00Z',
    '2026-10-25T00:30',
    '2026-10-25T01:00',
    '2026-10-25T01:30',
    '2026-10-25T02:00',
  ],
  [
    'what is for every hour has no time twice where an hour is skipped',
    '0,30 * * * *',
    'Europe/Berlin',
    '2026-03-29T00:30Z',
    '2026-03-29T01:00',
    '2026-03-29T01:30',
    '2026-03-29T02:00',
  ],
  [
    'either kind of day suffices when both are restricted',
    '0 0 13 * 5',
    'UTC',
    '2026-11-07T00:00Z',
    '2026-11-13T00:00',
    '2026-11-20T00:00',
    '2026-11-27T00:00',
    '2026-12-04T00:00',
    '2026-12-11T00:00',
    '2026-12-13T00:00',
  ],
  ['29 February', '0 0 29 2 *', 'UTC', '2026-11-29T00:00Z', '2028-02-29T00:00', '2032-02-29T00:00'],
  [
    'names and steps',
    '*/20 8 * dec sun',
    'UTC',
    '2026-11-29T00:00Z',
    '2026-12-06T08:00',
    '2026-12-06T08:20',
  ],
] as const) {
  test(`times of a schedule: ${what}`, () => {
    assert.deepEqual(times(cron, timezone, after, expected.length), expected);
  });
}
