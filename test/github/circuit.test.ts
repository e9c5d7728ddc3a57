import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createCircuit } from '../../src/github/circuit.ts';
import { RetryableError, TerminalError } from '../../src/lib/errors.ts';

const down = (more = {}) => new RetryableError('github-unavailable', 'GitHub answered 502', more);
const limited = (retryAfterMs: number) =>
  new RetryableError('github-rate-limited', 'slow down', { retryAfterMs });

describe('the circuit of an account', () => {
  test('one failure, or two, stop nothing', () => {
    const circuit = createCircuit();
    circuit.failed(down(), 0, 10);
    circuit.failed(down(), 20, 30);
    assert.equal(circuit.allows(30, 5), true);
  });

  test('three in a row stop all for a while, then one at a time tries, and one success frees all', () => {
    const circuit = createCircuit();
    for (const at of [0, 100, 200]) circuit.failed(down(), at, at + 10);
    assert.equal(circuit.allows(5209, 0), false);
    assert.equal(circuit.allows(5210, 0), true);
    assert.equal(circuit.allows(5210, 1), false);
    circuit.failed(down(), 5210, 5300);
    assert.equal(circuit.pausedUntil(), 15_300);
    circuit.worked();
    assert.equal(circuit.allows(15_300, 7), true);
  });

  test('what was under way at the same time failed for the same reason and counts once', () => {
    const circuit = createCircuit();
    for (const end of [10, 11, 12, 13]) circuit.failed(down(), 0, end);
    assert.equal(circuit.allows(20, 5), true);
  });

  test('the pause after trouble grows to two minutes and no more', () => {
    const circuit = createCircuit();
    for (let at = 0; at < 20; at += 1) circuit.failed(down(), at * 1000, at * 1000);
    assert.equal(circuit.pausedUntil(), 19_000 + 120_000);
  });

  test('a time that GitHub names is kept at once, by all', () => {
    const circuit = createCircuit();
    assert.equal(circuit.failed(limited(7000), 0, 100), true);
    assert.deepEqual([circuit.allows(7099, 0), circuit.allows(7100, 0)], [false, true]);
    const other = createCircuit();
    assert.equal(other.failed(down({ retryAfterMs: 9000 }), 0, 100), false);
    assert.equal(other.pausedUntil(), 9100);
  });

  test('one page of HTML stops nothing, three in a row are trouble', () => {
    const circuit = createCircuit();
    const page = new RetryableError('github-unreadable', 'no JSON', { retryAfterMs: 60_000 });
    circuit.failed(page, 0, 0);
    assert.equal(circuit.allows(0, 5), true);
    for (const at of [100, 200]) circuit.failed(page, at, at);
    assert.equal(circuit.pausedUntil(), 5200);
  });

  test('a limit that is met again right after the pause doubles it', () => {
    const circuit = createCircuit();
    circuit.failed(limited(60_000), 0, 0);
    circuit.failed(limited(60_000), 60_000, 60_000);
    assert.equal(circuit.pausedUntil(), 60_000 + 120_000);
  });

  test('a refusal is an answer, and what was called off says nothing', () => {
    const circuit = createCircuit();
    circuit.failed(down(), 0, 0);
    circuit.failed(down(), 1, 1);
    circuit.failed(new RetryableError('github-aborted', 'stopping'), 2, 2);
    circuit.failed(new TerminalError('github-refused', 'no'), 3, 3);
    circuit.failed(down(), 4, 4);
    assert.equal(circuit.allows(5, 5), true);
  });
});
