import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createWriteLedger, type WriteLimits } from '../../src/github/write-ledger.ts';
import { IMPORTANCE } from '../../src/model/importance.ts';

const MINUTE = 60_000;
const { final, notification, deployment, creation, intermediate } = IMPORTANCE;

const ledger = (limits: Partial<WriteLimits> = {}) =>
  createWriteLedger({ perMinute: 80, perHour: 500, ...limits });

describe('the ledger of writes', () => {
  test('has room for what a minute takes, and again when the minute is over', () => {
    const writes = ledger({ perMinute: 4 });
    writes.add(0, final, 3);
    assert.equal(writes.room(final, 1000), 1);
    writes.add(30_000, final);
    // The first three may have been with GitHub ten seconds later.
    assert.equal(writes.room(final, 70_999), 0);
    assert.equal(writes.room(final, 71_000), 3);
    assert.equal(writes.used('minute', 71_000), 1);
  });

  test('has room for what an hour takes, and again when the hour is over', () => {
    const writes = ledger({ perHour: 10 });
    writes.add(0, final, 10);
    assert.equal(writes.room(final, 60 * MINUTE + 10_999), 0);
    assert.equal(writes.used('hour', 60 * MINUTE + 10_999), 10);
    assert.equal(writes.room(final, 60 * MINUTE + 11_000), 10);
  });

  test('a clock that is set back does not use up the budget, neither now nor when it has caught up', () => {
    const writes = ledger();
    writes.add(60 * MINUTE, final, 500);
    assert.ok(writes.room(final, 60 * MINUTE) <= 0);
    assert.equal(writes.used('hour', 0), 0);
    assert.equal(writes.room(final, 0), 80);
    assert.equal(writes.room(final, 60 * MINUTE), 80);
  });

  test('what a replica whose clock is a minute ahead has written counts', () => {
    const writes = ledger({ perMinute: 4 });
    writes.add(MINUTE, final, 3);
    assert.equal(writes.room(final, 0), 1);
    assert.equal(writes.room(final, MINUTE), 1);
  });

  test('leaves a quarter of the minute to what is important', () => {
    const writes = ledger();
    writes.add(0, final, 60);
    assert.deepEqual(
      [final, notification, deployment, creation, intermediate].map((each) =>
        writes.room(each, 0) > 0 ? 'room' : 'none',
      ),
      ['room', 'room', 'room', 'none', 'none'],
    );
    assert.equal(ledger().room(intermediate, 0), 60);
    assert.equal(ledger().room(deployment, 0), 80);
  });

  test('keeps free what more important writes are expected to need', () => {
    const writes = ledger({ perMinute: 10_000 });
    writes.add(50 * MINUTE, final, 36);
    // 36 in ten minutes, less the square root, are 180 an hour.
    assert.equal(writes.room(notification, 59 * MINUTE), 490 - 180);
    // In half an hour they are 72 an hour.
    assert.equal(writes.room(notification, 65 * MINUTE), 490 - 72);
    // Later only what there was in the hour.
    assert.equal(writes.room(notification, 85 * MINUTE), 490 - 36);
  });

  test('what is less important never takes the room of what is more important', () => {
    const writes = ledger({ perMinute: 10_000 });
    writes.add(0, final, 40);
    writes.add(0, notification, 30);
    writes.add(0, intermediate, 50);
    const now = 29 * MINUTE;
    assert.equal(writes.room(intermediate, now), 490 - 140 - 50);
    assert.equal(writes.room(notification, now), 490 - 80 - 80);
    assert.equal(writes.room(final, now), 380);
  });

  test('spaces the ends of runs when they alone would use up the hour', () => {
    const writes = ledger({ perMinute: 10_000 });
    writes.add(0, final, 224);
    assert.equal(writes.room(final, 10 * MINUTE), 276);
    writes.add(0, final, 1);
    // 275 that are left in half an hour are 9 a minute.
    assert.equal(writes.room(final, 10 * MINUTE), 9);
    writes.add(10 * MINUTE, final, 9);
    assert.equal(writes.room(final, 10 * MINUTE), -1);
    assert.equal(writes.room(final, 11 * MINUTE), 8);
    // However few are left, three a minute are shown.
    writes.add(10 * MINUTE, notification, 250);
    assert.equal(writes.room(final, 12 * MINUTE), 3);
    // What was long ago makes nothing wait.
    assert.equal(writes.room(final, 60 * MINUTE + 11_000), 241);
  });
});
