import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createAttempts } from '../../../src/http/auth/attempts.ts';
import { createTestClock } from '../../github/support.ts';

const REFUSED = { status: 429, code: 'too-many-attempts' };

function failing(from: (at: number) => string, times: number) {
  const clock = createTestClock();
  const attempts = createAttempts(clock);
  for (let at = 0; at < times; at += 1) attempts.fail(from(at));
  return { clock, attempts };
}

test('an address whose log-ins have failed waits a minute; of IPv6 each address in its /64 does', () => {
  for (const [from, same, other] of [
    ['192.0.2.1', '::ffff:192.0.2.1', '192.0.2.2'],
    ['2001:db8::1', '2001:0db8:0:0:9:8:7:6', '2001:db8:0:1::1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::', '2001:db8:1::2'],
    ['fe80::1%eth0', 'fe80::2', 'fe80:0:0:1::1'],
    ['::1', '::2', '1::'],
  ] as const) {
    const { clock, attempts } = failing(() => from, 10);
    assert.throws(() => attempts.check(same), REFUSED, same);
    attempts.check(other);
    clock.advance(60_000);
    attempts.check(same);
  }
});

test('however many fail elsewhere, an address where none has failed may try once', () => {
  const { attempts } = failing((at) => `192.0.2.${Math.floor(at / 9)}`, 100);
  assert.throws(() => attempts.check('192.0.2.1'), REFUSED);
  attempts.check('198.51.100.1');
  attempts.fail('198.51.100.1');
  assert.throws(() => attempts.check('198.51.100.1'), REFUSED);
});

test('ten users of GitHub a minute log in from one address, and thirty from all', () => {
  const clock = createTestClock();
  const attempts = createAttempts(clock);
  const full = { status: 429, code: 'too-many-log-ins', headers: { 'Retry-After': '6' } };
  const arrive = (address: string, times: number) => {
    for (let at = 0; at < times; at += 1) attempts.arrive(address);
  };
  arrive('2001:db8::1', 10);
  assert.throws(() => attempts.arrive('2001:db8::2'), full);
  arrive('192.0.2.2', 10);
  arrive('192.0.2.3', 10);
  assert.throws(() => attempts.arrive('192.0.2.4'), {
    status: 429,
    headers: { 'Retry-After': '2' },
  });
  clock.advance(2000);
  attempts.arrive('192.0.2.4');
  attempts.check('192.0.2.4');
});
