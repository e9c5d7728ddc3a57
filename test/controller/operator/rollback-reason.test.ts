import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sayRollback, whyRolledBack } from '../../../src/controller/operator/rollback-reason.ts';

test('the reason that a person gave for a rollback is read back from the audit as it was given', () => {
  const run = { id: '01k9', lane: 'shop; the lane x is paused' };
  for (const why of ['it is slow', 'slow (run r1); the lane main is paused', 'a: b']) {
    for (const isPaused of [true, false]) {
      const detail = sayRollback(run, `Rollback to 0123abc: ${why} (run 01k8)`, isPaused);
      assert.equal(whyRolledBack(detail), why);
    }
  }
  assert.equal(whyRolledBack(sayRollback(run, 'Rollback to 0123abc (run 01k8)', true)), undefined);
  assert.equal(whyRolledBack('made run 01k9: Deploy of main at 0123abc by ines'), undefined);
});
