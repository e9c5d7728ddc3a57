import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ScheduleEvent } from '../../src/model/event.ts';
import { parseSpecs } from '../../src/spec/load.ts';
import { matchSpec } from '../../src/spec/match.ts';
import { formatProblem } from '../../src/spec/problem.ts';

function load(schedule: string, more = '') {
  return parseSpecs(
    'shop.yaml',
    `name: shop
repository: acme/shop
on:
  schedule: ${schedule}
steps: [{ run: "true" }]
${more}`,
  );
}

test('a schedule is read with every default filled in', () => {
  const { specs, problems } = load(
    '[{ cron: "0 6 * * 1-5" }, { cron: "30 22 1 jan,Jul *", timezone: Europe/Berlin, ref: release, missed: skip }]',
  );
  assert.deepEqual(problems, []);
  const [first, second] = specs[0]?.spec.on.schedules ?? [];
  const { times, ...rest } = first ?? { times: undefined };
  assert.deepEqual(rest, { cron: '0 6 * * 1-5', timeZone: 'UTC', ref: undefined, missed: 'once' });
  assert.deepEqual(times?.daysOfWeek, [1, 2, 3, 4, 5]);
  assert.deepEqual(second?.times.months, [1, 7]);
  assert.deepEqual(
    [second?.timeZone, second?.ref, second?.missed],
    ['Europe/Berlin', 'release', 'skip'],
  );
});

for (const [what, schedule, problem] of [
  ['a field too few', '{ cron: "0 6 * *" }', '"0 6 * *" has 4 fields, not 5'],
  ['seconds', '{ cron: "0 0 6 * * *" }', '"0 0 6 * * *" has 6 fields, not 5'],
  ['a minute that no hour has', '{ cron: "61 6 * * *" }', '61 is a invalid expression for minute'],
  ['a letter of other crons', '{ cron: "0 6 L * *" }', 'has letters that Mainsheet does not know'],
  ['a day that never comes', '{ cron: "0 6 30 2 *" }', '30 2 is an impossible day'],
  [
    'a time zone that is not there',
    '{ cron: "0 6 * * *", timezone: Europe/Berlim }',
    '"Europe/Berlim" is no time zone',
  ],
  [
    'the same times twice',
    '[{ cron: "0 6 * * *", ref: main }, { cron: "0 6 * * *", ref: stable, timezone: UTC }]',
    '"0 6 * * *" (UTC) is there twice',
  ],
  ['a misspelt key', '{ cron: "0 6 * * *", timezon: UTC }', 'timezone'],
] as const) {
  test(`refused in a schedule: ${what}`, () => {
    const { problems } = load(schedule);
    assert.equal(problems.length, 1);
    const text = problems.map(formatProblem).join();
    assert.match(text, /^shop\.yaml:4:\d+: /);
    assert.ok(text.includes(problem), text);
  });
}

const EVENT: ScheduleEvent = {
  kind: 'schedule',
  repository: undefined,
  spec: 'shop',
  cron: '0 6 * * 1-5',
  timeZone: 'Europe/Berlin',
  due: Date.parse('2026-11-30T05:00Z'),
};

test('a time starts the spec that has the schedule still, at the commit that its ref has then', () => {
  const [loaded] = load(
    '{ cron: "0 6 * * 1-5", timezone: Europe/Berlin }',
    "if: \"event.spec == 'shop' && github.ref_name == 'main'\"",
  ).specs;
  assert.ok(loaded);
  const sha = 'a'.repeat(40);
  const revisions = new Map([['shop', { ref: 'refs/heads/main', sha }]]);
  const verdict = matchSpec(loaded.spec, { ...EVENT, revisions }, { spec: 'shop' });
  assert.deepEqual(
    verdict.reasons.map(({ condition, detail }) => [condition, detail]),
    [
      ['on.schedule', '"0 6 * * 1-5" means Mon 2026-11-30 06:00 Europe/Berlin'],
      ['on.schedule.ref', 'main of acme/shop is at aaaaaaa'],
      ['if', verdict.reasons.at(-1)?.detail],
    ],
  );
  assert.equal(verdict.matched, true);

  for (const other of [{ cron: '0 7 * * 1-5' }, { timeZone: 'UTC' }, { spec: 'other' }]) {
    assert.equal(matchSpec(loaded.spec, { ...EVENT, ...other, revisions }, {}).matched, false);
  }
});
