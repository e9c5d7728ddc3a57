import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatWall } from '../../src/lib/wall-clock.ts';
import { windowAt } from '../../src/model/window.ts';
import { parseSpecs } from '../../src/spec/load.ts';

/** As a spec says it. */
function windowOf(window: { allow?: string[]; deny?: string[]; timezone?: string }) {
  const text = JSON.stringify({
    name: 'storefront',
    repository: 'acme/storefront',
    on: { push: {} },
    steps: [{ run: 'true' }],
    gates: [{ window }],
  });
  const { specs, problems } = parseSpecs('storefront.yaml', text);
  assert.deepEqual(problems, []);
  const gate = specs[0]?.spec.gates[0];
  assert.ok(gate?.kind === 'window');
  return gate;
}

const BERLIN = 'Europe/Berlin';
const WORK = windowOf({ allow: ['Mon-Fri 09:00-16:00'], timezone: BERLIN });

const cases: [string, ReturnType<typeof windowOf>, string, boolean, string?][] = [
  ['on a weekday in its hours', WORK, '2026-11-30T08:00Z', true],
  ['a minute before', WORK, '2026-11-30T07:59Z', false, 'Mon 2026-11-30 09:00 Europe/Berlin'],
  ['at the end', WORK, '2026-11-30T15:00Z', false, 'Tue 2026-12-01 09:00 Europe/Berlin'],
  ['over the weekend', WORK, '2026-11-27T15:00Z', false, 'Mon 2026-11-30 09:00 Europe/Berlin'],
  ['in summer an hour earlier', WORK, '2026-07-01T07:00Z', true],
  [
    'the week in which summer time begins',
    WORK,
    '2026-03-29T01:30Z',
    false,
    'Mon 2026-03-30 09:00 Europe/Berlin',
  ],
  [
    'the week in which summer time ends',
    WORK,
    '2026-10-25T00:30Z',
    false,
    'Mon 2026-10-26 09:00 Europe/Berlin',
  ],
];

for (const [name, window, at, isOpen, opens] of cases) {
  test(`a window ${isOpen ? 'is open' : 'is shut'}: ${name}`, () => {
    const state = windowAt(window, Date.parse(at));
    assert.equal(state.isOpen, isOpen);
    assert.equal(state.opensAt && formatWall(state.opensAt, window.timeZone), opens);
  });
}

test('the hour that comes twice is in a range twice, and the one that is skipped in none', () => {
  const night = windowOf({ allow: ['02:00-03:00'], timezone: BERLIN });
  const open = (from: string, hours: number) => {
    const start = Date.parse(from);
    const minutes = Array.from({ length: hours * 60 }, (_, minute) => start + minute * 60_000);
    return minutes.filter((at) => windowAt(night, at).isOpen).length;
  };
  assert.equal(open('2026-10-24T22:00Z', 8), 120);
  assert.equal(open('2026-03-28T22:00Z', 8), 0);
  assert.equal(open('2026-11-28T22:00Z', 8), 60);
  const skipped = windowAt(night, Date.parse('2026-03-29T00:30Z'));
  assert.equal(formatWall(skipped.opensAt ?? 0, BERLIN), 'Mon 2026-03-30 02:00 Europe/Berlin');
});

test('a window opens in time in the night in which the clocks change', () => {
  const early = windowOf({ allow: ['01:30-01:45'], timezone: BERLIN });
  const opens = (from: string) =>
    new Date(windowAt(early, Date.parse(from)).opensAt ?? 0).toISOString();
  assert.equal(opens('2026-10-24T20:00Z'), '2026-10-24T23:30:00.000Z');
  assert.equal(opens('2026-03-28T20:00Z'), '2026-03-29T00:30:00.000Z');
});

test('a range over midnight belongs to the day on which it begins', () => {
  const night = windowOf({ allow: ['Fri 22:00-06:00'] });
  const at = (text: string) => windowAt(night, Date.parse(text)).isOpen;
  assert.equal(at('2026-11-27T22:00Z'), true);
  assert.equal(at('2026-11-28T05:59Z'), true);
  assert.equal(at('2026-11-28T06:00Z'), false);
  assert.equal(at('2026-11-28T22:00Z'), false);
  assert.equal(at('2026-11-27T05:00Z'), false);
});

test('a freeze holds both its days, goes before what is allowed, and the window after it opens', () => {
  const frozen = windowOf({
    allow: ['Mon-Fri 09:00-16:00'],
    deny: ['2026-12-20/2027-01-03'],
    timezone: BERLIN,
  });
  const state = windowAt(frozen, Date.parse('2026-12-21T10:00Z'));
  assert.equal(state.denied?.text, '2026-12-20/2027-01-03');
  assert.equal(formatWall(state.opensAt ?? 0, BERLIN), 'Mon 2027-01-04 09:00 Europe/Berlin');
  assert.equal(windowAt(frozen, Date.parse('2027-01-03T22:59Z')).denied?.kind, 'dates');
  assert.equal(windowAt(frozen, Date.parse('2027-01-03T23:00Z')).denied, undefined);
  assert.equal(
    windowAt(
      windowOf({ deny: ['2026-12-24T14:00/2026-12-27T06:00'] }),
      Date.parse('2026-12-24T13:59Z'),
    ).isOpen,
    true,
  );
});

test('what nothing opens again says so', () => {
  const past = windowOf({ allow: ['2020-01-01'] });
  assert.deepEqual(windowAt(past, Date.parse('2026-11-30T08:00Z')), {
    isOpen: false,
    denied: undefined,
    opensAt: undefined,
  });
});
