import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseSpecs } from '../../src/spec/load.ts';

function load(gates: string) {
  return parseSpecs(
    'shop.yaml',
    `name: shop
repository: acme/shop
on: { push: {} }
steps: [{ run: "true" }]
gates:
${gates}
`,
  );
}

test('gates are read with every default filled in', () => {
  const { specs, problems } = load(`  - approve: {}
  - approve: { from: [alice, team:acme/release], count: 2, not-author: true, timeout: 3d }
  - window: { allow: ["Mon-Fri 09:00-16:00", "sat,SUN"], deny: ["2026-12-20/2027-01-03"], timezone: Europe/Berlin }
  - window: { deny: ["22:00-06:00", "2026-12-24T14:00/2026-12-27T06:00"] }`);
  assert.deepEqual(problems, []);
  assert.deepEqual(specs[0]?.spec.gates, [
    { kind: 'approve', from: [], count: 1, notAuthor: false, timeoutMs: undefined },
    {
      kind: 'approve',
      from: ['alice', 'team:acme/release'],
      count: 2,
      notAuthor: true,
      timeoutMs: 3 * 86_400_000,
    },
    {
      kind: 'window',
      allow: [
        { kind: 'weekly', days: [1, 2, 3, 4, 5], from: 540, to: 960, text: 'Mon-Fri 09:00-16:00' },
        { kind: 'weekly', days: [6, 0], from: 0, to: 1440, text: 'sat,SUN' },
      ],
      deny: [
        {
          kind: 'dates',
          from: '2026-12-20T00:00',
          to: '2027-01-04T00:00',
          text: '2026-12-20/2027-01-03',
        },
      ],
      timeZone: 'Europe/Berlin',
    },
    {
      kind: 'window',
      allow: [],
      deny: [
        { kind: 'weekly', days: [0, 1, 2, 3, 4, 5, 6], from: 1320, to: 360, text: '22:00-06:00' },
        {
          kind: 'dates',
          from: '2026-12-24T14:00',
          to: '2026-12-27T06:00',
          text: '2026-12-24T14:00/2026-12-27T06:00',
        },
      ],
      timeZone: 'UTC',
    },
  ]);
});

const wrong: [string, number, string, RegExp][] = [
  [
    '- approve: { from: [alice, "team:acme"] }',
    6,
    '"team:acme" is neither a GitHub user nor a team',
    /team:org\/slug/,
  ],
  ['- approve: { count: 0 }', 6, 'at least 1', /^/],
  ['- approve: { form: [alice] }', 6, 'unknown key "form"', /did you mean "from"/],
  [
    '- window: { allow: [Mon-Fri 9-16] }',
    6,
    '"Mon-Fri 9-16" is no range of time',
    /Mon-Fri 09:00-16:00/,
  ],
  ['- window: { allow: ["Mon 09:00-09:00"] }', 6, '"Mon 09:00-09:00" is no range of time', /^/],
  ['- window: { deny: ["2026-02-30"] }', 6, '"2026-02-30" is no range of time', /^/],
  [
    '- window: { deny: ["2027-01-03/2026-12-20"] }',
    6,
    '"2027-01-03/2026-12-20" is no range of time',
    /^/,
  ],
  [
    '- window: { allow: ["Mon"], timezone: Europe/Berln }',
    6,
    '"Europe/Berln" is no time zone',
    /did you mean "Europe\/Berlin"/,
  ],
  ['- window: { timezone: UTC }', 6, 'neither "allow" nor "deny" says when runs may start', /^/],
  [
    '- { approve: {}, window: { allow: ["Mon"] } }',
    6,
    'a gate is one of "approve" and "window"',
    /^/,
  ],
];
for (const [gate, line, message, hint] of wrong) {
  test(`what is wrong with a gate is said where it is: ${gate}`, () => {
    const { specs, problems } = load(`  ${gate}`);
    assert.deepEqual(specs, []);
    assert.equal(problems.length, 1, JSON.stringify(problems));
    assert.equal(problems[0]?.line, line);
    assert.equal(problems[0]?.message.replace(/^gates\S*: /, ''), message);
    assert.match(problems[0]?.hint ?? '', hint);
  });
}
