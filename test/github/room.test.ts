import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { hasRoom, withWrite, type WriteLimits } from '../../src/github/room.ts';
import {
  IMPORTANCE,
  NO_WRITES,
  type Importance,
  type WriteCounts,
} from '../../src/model/importance.ts';

const { final, olderFinal, notification, deployment, creation, intermediate } = IMPORTANCE;
const ALL = [final, olderFinal, notification, deployment, creation, intermediate];

interface Written {
  minute?: number;
  hour?: number;
  ends?: Partial<WriteCounts['ends']>;
}

/** What may still be written after so many writes. */
function open(written: Written, limits: Partial<WriteLimits> = {}): Importance[] {
  const counts = { ...NO_WRITES, ...written, ends: { ...NO_WRITES.ends, ...written.ends } };
  return ALL.filter((each) => hasRoom(counts, each, { perMinute: 80, perHour: 500, ...limits }));
}

describe('room for a write', () => {
  test('is there for all when little was written', () => {
    assert.deepEqual(open({}), ALL);
    assert.deepEqual(open({ minute: 59, hour: 400, ends: { hour: 50, tenMinutes: 9 } }), ALL);
  });

  test('is there for nothing when a minute or an hour is used up', () => {
    assert.deepEqual(open({ minute: 80, hour: 80 }), []);
    assert.deepEqual(open({ hour: 500 }), []);
  });

  test('is kept, a quarter of the minute, for what cannot wait', () => {
    assert.deepEqual(open({ minute: 60, hour: 60 }), [final, olderFinal, notification, deployment]);
    assert.deepEqual(open({ minute: 6, hour: 6 }, { perMinute: 8 }).at(-1), deployment);
  });

  test('is kept for what the ends of runs need when they go on as in the last ten minutes or half-hour', () => {
    // 25 in ten minutes are 150 an hour, and 45 for chance: of 490 others have 295.
    const ends = { tenMinutes: 25, hour: 40 };
    assert.deepEqual(open({ hour: 334, ends }), ALL);
    assert.deepEqual(open({ hour: 335, ends }), [final, olderFinal]);
    // 75 in half an hour are as many, and a lull does not give them away.
    const before = { tenMinutes: 5, halfHour: 75, hour: 100 };
    assert.deepEqual(open({ hour: 394, ends: before }), ALL);
    assert.deepEqual(open({ hour: 395, ends: before }), [final, olderFinal]);
  });

  test('is kept for ends alone at the end of the hour, however few there were', () => {
    assert.deepEqual(open({ hour: 489 }), ALL);
    assert.deepEqual(open({ hour: 490, ends: { hour: 300 } }), [final, olderFinal]);
    assert.deepEqual(open({}, { perHour: 1 }), [final, olderFinal]);
  });

  test('is for three ends of runs a minute when they alone take half of the hour', () => {
    const many = (minute: number, hour: number) =>
      open({ minute, hour, ends: { minute, tenMinutes: hour, hour } });
    assert.deepEqual(many(20, 249), [final, olderFinal]);
    assert.deepEqual(many(2, 250), [final, olderFinal]);
    assert.deepEqual(many(3, 250), []);
    // With few writes an hour it is one.
    assert.deepEqual(open({ hour: 9, ends: { hour: 9 } }, { perHour: 18 }).slice(0, 1), [final]);
  });

  test('is less by one after each write', () => {
    const after = [final, notification].reduce(withWrite, NO_WRITES);
    assert.deepEqual(after, {
      minute: 2,
      hour: 2,
      ends: { minute: 1, tenMinutes: 1, halfHour: 1, hour: 1 },
    });
  });
});
