import assert from 'node:assert/strict';
import { test } from 'node:test';
import { killGrace } from '../../src/app/kill-grace.ts';

test('where another replica may take a run up, a step that ignores SIGTERM is gone before the lease is (G3)', () => {
  for (const leaseMs of [1000, 10_000, 30_000, 600_000]) {
    const grace = killGrace({ databaseUrl: 'postgres://127.0.0.1/mainsheet', leaseMs });
    assert.ok((leaseMs * 2) / 3 + grace < leaseMs, `a lease of ${leaseMs} ms`);
    assert.ok(grace <= 10_000);
  }
});

test('on SQLite no other process takes a run up, so a step has its ten seconds whatever the lease is', () => {
  assert.equal(killGrace({ databaseUrl: undefined, leaseMs: 1000 }), 10_000);
});
