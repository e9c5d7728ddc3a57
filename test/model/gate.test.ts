import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeGate, judgeGates, type Gate, type GateAnswer } from '../../src/model/gate.ts';

const HOUR = 3_600_000;
const SINCE = Date.parse('2026-11-30T07:30Z');
const APPROVE: Gate = {
  kind: 'approve',
  from: ['alice', 'team:acme/release'],
  count: 2,
  notAuthor: true,
  timeoutMs: 24 * HOUR,
};
const WINDOW: Gate = {
  kind: 'window',
  allow: [{ kind: 'weekly', days: [1], from: 9 * 60, to: 16 * 60, text: 'Mon 09:00-16:00' }],
  deny: [],
  timeZone: 'Europe/Berlin',
};

const answer = (person: string, more: Partial<GateAnswer> = {}): GateAnswer => ({
  person: `github:${person}`,
  kind: 'approve',
  gates: [0],
  reason: '',
  at: SINCE,
  ...more,
});

const judge = (gates: Gate[], answers: GateAnswer[], now = SINCE) =>
  judgeGates(gates, { answers, since: SINCE, now });

test('without gates nothing is waited for', () => {
  assert.partialDeepStrictEqual(judge([], []), { isOpen: true, reason: '', lookAt: undefined });
});

test('a gate says how many approvals are missing, and of whom, until there are enough', () => {
  assert.equal(judge([APPROVE], []).reason, 'Waiting for 2 approvals by alice, team:acme/release');
  const one = judge([APPROVE], [answer('alice')]);
  assert.equal(one.reason, 'Waiting for 1 approval by alice, team:acme/release (1 of 2: alice)');
  assert.equal(one.lookAt, SINCE + 24 * HOUR);
  const both = judge([APPROVE], [answer('alice'), answer('bob')]);
  assert.partialDeepStrictEqual(both, { isOpen: true, lookAt: undefined });
  assert.equal(both.gates[0]?.detail, 'Approved by alice, bob');
});

test('an approval counts only for the gates that it was given for', () => {
  const { gates } = judge(
    [
      { ...APPROVE, count: 1 },
      { ...APPROVE, count: 1 },
    ],
    [answer('alice', { gates: [1] })],
  );
  assert.deepEqual(
    gates.map(({ isOpen }) => isOpen),
    [false, true],
  );
});

test('what is not approved in time expires, and what is approved does not', () => {
  const late = SINCE + 24 * HOUR;
  assert.equal(
    judge([APPROVE], [answer('alice')], late).expired,
    'Not approved within 24h 00m by alice, team:acme/release (1 of 2: alice)',
  );
  assert.equal(judge([APPROVE], [], late - 1).expired, undefined);
  assert.equal(judge([APPROVE], [answer('alice'), answer('bob')], late).expired, undefined);
});

test('a window says when it opens, and that is when it is looked at again', () => {
  const { reason, lookAt } = judge([WINDOW], []);
  assert.equal(reason, 'Outside its window: opens Mon 2026-11-30 09:00 Europe/Berlin');
  assert.equal(lookAt, Date.parse('2026-11-30T08:00Z'));
  assert.equal(judge([WINDOW], [], SINCE + HOUR).isOpen, true);
  const week = judge([WINDOW], [], SINCE + 12 * HOUR);
  assert.equal(week.lookAt, SINCE + 13 * HOUR, 'the clocks may change: hourly at least');
});

test('an override opens the window and nothing else', () => {
  const override = answer('carol', { kind: 'override', gates: [1], reason: 'the shop is down' });
  const { isOpen, gates } = judge([APPROVE, WINDOW], [override]);
  assert.equal(isOpen, false);
  assert.equal(gates[1]?.detail, 'Window overridden by carol: the shop is down');
});

test('a gate in one line', () => {
  assert.equal(
    describeGate(APPROVE),
    '2 approvals by alice, team:acme/release, not the author, within 24h 00m',
  );
  assert.equal(describeGate(WINDOW), 'starts in Mon 09:00-16:00 (Europe/Berlin)');
});
