import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rollbackDelivery, sayRollback, whyRolledBack } from '../../src/model/rollback-reason.ts';

test('the reason of a rollback, and the delivery that asked for it, are read back from the audit as they were given', () => {
  const run = { id: '01k9' };
  const lane = 'shop; the lane x is paused';
  for (const why of [
    'it is slow',
    'slow (run r1); the lane main is paused',
    'a: b; asked by delivery alert.2',
  ]) {
    for (const paused of [lane, undefined]) {
      for (const delivery of [undefined, 'alert.1']) {
        const how = { paused, delivery };
        const detail = sayRollback(run, `Rollback to 0123abc: ${why} (run 01k8)`, how);
        assert.equal(whyRolledBack(detail), why);
        assert.equal(rollbackDelivery(detail), delivery);
      }
    }
  }
  const detail = sayRollback(run, 'Rollback to 0123abc (run 01k8)', {
    paused: lane,
    delivery: 'alert.1',
  });
  assert.equal(whyRolledBack(detail), undefined);
  assert.equal(whyRolledBack('made run 01k9: Deploy of main at 0123abc by ines'), undefined);
});
