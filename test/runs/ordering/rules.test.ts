import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Concurrency } from '../../../src/model/deployment-spec.ts';
import type { Run } from '../../../src/model/run.ts';
import {
  laneEffects,
  whyLate,
  type Lateness,
  type OrderFacts,
} from '../../../src/runs/ordering/rules.ts';
import { sampleRun } from '../../store/samples.ts';

const SHA = 'a'.repeat(40);
const facts = (more: Partial<OrderFacts>): OrderFacts => ({
  candidate: { cause: 'event', sha: SHA },
  other: 'b'.repeat(40),
  contained: true,
  head: 'b'.repeat(40),
  ...more,
});

const decisions: [string, Partial<OrderFacts>, Lateness | undefined][] = [
  ['a revision that the deployed one contains is late', {}, 'contained'],
  ['so is the tag of one', { head: undefined }, 'contained'],
  ['a revision that goes on from the deployed one is not late', { contained: false }, undefined],
  [
    'a revision that its branch was forced away from, to the deployed one, is late',
    { contained: false, isDropped: true },
    'dropped',
  ],
  ['unless it stands there again', { contained: false, isDropped: true, head: SHA }, undefined],
  ['or is gone', { contained: false, isDropped: true, head: undefined }, undefined],
  ['a revision that its branch was forced back to is not late', { head: SHA }, undefined],
  ['nor is one that its push has taken the branch back to', { isForcedBack: true }, undefined],
  ['the deployed revision itself is not late', { other: SHA, head: undefined }, undefined],
  [
    'the revision that was gone back from by hand is late',
    { other: SHA, head: undefined, isLeft: true },
    'contained',
  ],
  ['unless its branch stands there', { other: SHA, head: SHA, isLeft: true }, undefined],
  ...(['retry', 'replay', 'rollback'] as const).map((cause): (typeof decisions)[number] => [
    `a ${cause} is never late: it is wanted`,
    { candidate: { cause, sha: SHA }, isDropped: true },
    undefined,
  ]),
];
for (const [name, given, late] of decisions) {
  test(name, () => assert.equal(whyLate(facts(given)), late));
}

const NEWEST: Concurrency = { lane: 'main', queue: 'newest', cancelRunning: false };
const at = (sequence: number, state: Run['state'], spec = 'storefront'): Run => ({
  ...sampleRun(`r${sequence}`),
  sequence,
  state,
  spec,
});
const effects = (run: Run, active: Run[], concurrency: Concurrency) => {
  const { supersede, cancel } = laneEffects(run, active, concurrency);
  return [supersede.map(({ id }) => id), cancel.map(({ id }) => id)];
};

test('a newer run supersedes what waits before it and leaves alone what runs (G4)', () => {
  const active = [at(1, 'running'), at(2, 'blocked'), at(3, 'queued'), at(4, 'queued')];
  assert.deepEqual(effects(at(4, 'queued'), active, NEWEST), [['r2', 'r3'], []]);
});

test('a run never touches a newer one', () => {
  const active = [at(1, 'queued'), at(2, 'queued'), at(3, 'running')];
  assert.deepEqual(effects(at(1, 'queued'), active, { ...NEWEST, cancelRunning: true }), [[], []]);
});

test('specs that share a lane take turns and do not replace each other', () => {
  const active = [at(1, 'running', 'docs'), at(2, 'queued', 'docs'), at(3, 'queued')];
  assert.deepEqual(effects(at(4, 'queued'), active, { ...NEWEST, cancelRunning: true }), [
    ['r3'],
    [],
  ]);
});

test('with queue all every run has its turn', () => {
  const active = [at(1, 'running'), at(2, 'queued')];
  assert.deepEqual(effects(at(3, 'queued'), active, { ...NEWEST, queue: 'all' }), [[], []]);
});

test('with cancel-running the one that runs is to stop', () => {
  const active = [at(1, 'running'), at(2, 'queued')];
  const cancelRunning = true;
  assert.deepEqual(effects(at(3, 'queued'), active, { ...NEWEST, cancelRunning }), [
    ['r2'],
    ['r1'],
  ]);
  assert.deepEqual(effects(at(3, 'queued'), active, { ...NEWEST, queue: 'all', cancelRunning }), [
    [],
    ['r1'],
  ]);
});
