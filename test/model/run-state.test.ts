import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { applyCommand, type RunCommand } from '../../src/model/run-state.ts';
import { hasEnded, RUN_ENDS, RUN_STATES, type Run, type RunState } from '../../src/model/run.ts';
import { sampleRun } from '../store/samples.ts';

const NOW = 5000;
const run = (state: RunState, more: Partial<Run> = {}): Run => ({
  ...sampleRun('r1'),
  sequence: 1,
  state,
  ...more,
});

const COMMANDS: Record<RunCommand['type'], RunCommand> = {
  start: { type: 'start' },
  block: { type: 'block', reason: 'Paused by admin' },
  unblock: { type: 'unblock' },
  park: { type: 'park', reason: 'x' },
  succeed: { type: 'succeed', outputs: { url: 'https://shop.example' } },
  fail: { type: 'fail', fault: 'step', reason: 'exit code 1' },
  cancel: { type: 'cancel', reason: 'Cancelled by admin' },
  supersede: { type: 'supersede', reason: 'Superseded by abc' },
};

/** The state after each command in each state; where there is none, the command is refused. */
const TABLE: Record<RunState, Partial<Record<RunCommand['type'], RunState>>> = {
  queued: {
    start: 'running',
    block: 'blocked',
    fail: 'failed',
    cancel: 'cancelled',
    supersede: 'superseded',
  },
  blocked: {
    block: 'blocked',
    unblock: 'queued',
    fail: 'failed',
    cancel: 'cancelled',
    supersede: 'superseded',
  },
  running: {
    start: 'running',
    park: 'blocked',
    succeed: 'succeeded',
    fail: 'failed',
    cancel: 'cancelled',
    supersede: 'superseded',
  },
  succeeded: {},
  failed: {},
  cancelled: {},
  superseded: {},
};

describe('every command in every state', () => {
  for (const state of RUN_STATES) {
    for (const command of Object.values(COMMANDS)) {
      const next = TABLE[state][command.type];
      test(`${command.type} of a run that is ${state}: ${next ?? 'refused'}`, () => {
        const before = run(state);
        if (next === undefined) {
          assert.throws(() => applyCommand(before, command, NOW), {
            name: 'TerminalError',
            code: 'illegal-transition',
            message: `run r1 is ${state}: there is nothing to ${command.type}`,
          });
        } else {
          const after = applyCommand(before, command, NOW);
          assert.equal(after.state, next);
          assert.equal(after.finishedAt, hasEnded(next) ? NOW : undefined);
        }
        assert.deepEqual(before, run(state));
      });
    }
  }
});

test('the ends are exactly the states that nothing leads out of', () => {
  const ends = RUN_STATES.filter((state) => Object.keys(TABLE[state]).length === 0);
  assert.deepEqual(ends, [...RUN_ENDS]);
});

test('a refused change of an ended run says what to do instead', () => {
  const hintOf = (state: RunState) => {
    try {
      applyCommand(run(state), COMMANDS.succeed, NOW);
    } catch (error) {
      return (error as { hint?: string }).hint;
    }
    return assert.fail('it was not refused');
  };
  assert.match(hintOf('failed') ?? '', /retry makes a new one/);
  assert.equal(hintOf('queued'), undefined);
});

test('a run that is taken up again keeps its first start and counts its attempts', () => {
  const first = applyCommand(run('queued'), COMMANDS.start, 1000);
  assert.deepEqual([first.attempts, first.startedAt, first.reason], [1, 1000, 'Running']);
  const second = applyCommand(first, COMMANDS.start, 2000);
  assert.deepEqual([second.attempts, second.startedAt], [2, 1000]);
  assert.equal(second.reason, 'Running again: attempt 2');
});

test('success keeps the outputs, failure whose fault it was, and neither the other’s', () => {
  const succeeded = applyCommand(run('running'), COMMANDS.succeed, NOW);
  assert.deepEqual(succeeded.outputs, { url: 'https://shop.example' });
  assert.equal(succeeded.fault, undefined);
  const before = run('running', { outputs: { url: 'half done' } });
  const failed = applyCommand(before, { ...COMMANDS.fail, fault: 'mainsheet' } as RunCommand, NOW);
  assert.equal(failed.fault, 'mainsheet');
  assert.equal(failed.reason, 'exit code 1');
  assert.deepEqual(failed.outputs, { url: 'half done' });
});

test('a reason has at most 500 characters', () => {
  const long = applyCommand(run('running'), { type: 'cancel', reason: 'x'.repeat(9999) }, NOW);
  assert.equal(long.reason, 'x'.repeat(500));
});

test('a preview that is gone is taken down, not deployed', () => {
  const done = { type: 'succeed', outputs: {} } as const;
  assert.equal(applyCommand(run('running'), done, NOW).reason, 'Deployed');
  const gone = run('running', { event: 'teardown' });
  assert.equal(applyCommand(gone, done, NOW).reason, 'Taken down');
});
