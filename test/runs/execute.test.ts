import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { createBroadcast } from '../../src/lib/broadcast.ts';
import { systemClock, type Clock } from '../../src/lib/clock.ts';
import { maskText } from '../../src/lib/masking.ts';
import { createSeal, type Seal } from '../../src/lib/seal.ts';
import type { DeploymentSpec, NotifySpec, StepSpec } from '../../src/model/deployment-spec.ts';
import type { ShellStepSpec } from '../../src/spec/steps/shell.ts';
import type { News } from '../../src/model/news.ts';
import { RUN_STATES, type NewRun, type Run, type Step } from '../../src/model/run.ts';
import { createExecute } from '../../src/runs/execute.ts';
import { toKeep } from '../../src/runs/outputs.ts';
import type { Outcome } from '../../src/runs/outcome.ts';
import { createRunProgram } from '../../src/steps/run-program.ts';
import type { StepContext } from '../../src/steps/contract.ts';
import { failedStep } from '../../src/steps/ending.ts';
import { environmentElsewhere } from '../../src/steps/environment.ts';
import { createShellStep, findShell } from '../../src/steps/shell.ts';
import type { Store } from '../../src/store/index.ts';
import type { AnyNotify } from '../../src/spec/notify/index.ts';
import { sampleRun } from '../store/samples.ts';
import { newStore } from '../support/new-store.ts';
import { sampleLoaded } from './samples.ts';

// To root nothing is read-only, so root becomes another user for this file, which has a process of its own.
const NOBODY = 65_534;
const isRoot = process.getuid?.() === 0;
/** A directory that may be moved, but what is in it is root's. Removed by a process that stays root until this one ends. */
const foreign = isRoot ? makeForeign() : undefined;
if (isRoot) {
  process.setgroups?.([]);
  process.setgid?.(NOBODY);
  process.setuid?.(NOBODY);
}

test('a step that leaves behind what cannot simply be removed does not keep its run from ending', async () => {
  const { outcome, leftovers } = await executed({
    run: 'd="$(dirname "$MAINSHEET_OUTPUT")/kept"; mkdir -p "$d/x"; chmod 0 "$d"; exit 3',
  });
  assert.deepEqual(outcome, {
    kind: 'failed',
    fault: 'step',
    reason: 'Step "Deploy" failed: exit code 3',
  });
  assert.deepEqual(leftovers, []);
});

test('what Mainsheet says after unfinished output starts a line, also of an attempt that died, and a step without a name has its number once', async () => {
  const { log } = await executed({ before: 'printf half', run: 'printf again', maxLogBytes: 6 });
  assert.match(log, /^Step 1\nhalf\nStep 2: Deploy\nag/m);
  const { log: resumed } = await executed({ ...RESUMED, kept: true, logged: 'cut off' });
  assert.match(resumed, /^cut off\nTaken up again: attempt 2\n/);
});

test('each step that succeeds is told of where the spec asks for it, as it is written down', async () => {
  const notify: AnyNotify = {
    kind: 'slack-app',
    on: [...RUN_STATES],
    token: 'BOT',
    channel: 'C0123456789',
    text: undefined,
    steps: true,
    buttons: undefined,
  };
  const told: unknown[] = [];
  const afterwards = async (store: Store) => {
    for (const { target, callback } of await store.outbox.ofRun('r1')) {
      told.push([target, callback.kind, (callback as { step?: number }).step]);
    }
  };
  await executed({ before: 'true', run: 'true', notify: [notify], afterwards });
  const target = 'slack-app:r1:0';
  assert.deepEqual(told, [
    [target, 'slack-thread', 0],
    [target, 'slack-thread', 1],
  ]);
});

test('the end of a log that is too long is in it once', async () => {
  const { outcome, log } = await executed({
    run: 'for i in $(seq 30000); do echo "line $i"; done; echo THE-END',
    maxLogBytes: 2000,
  });
  assert.equal(outcome.kind, 'succeeded');
  assert.equal(log.match(/of output left out/g)?.length, 1);
  assert.equal(log.match(/THE-END/g)?.length, 1);
});

test('what keeps a run from its first step is in its log, with what to do', async () => {
  const { outcome, log, steps } = await executed({ run: 'true', secrets: { TOKEN: undefined } });
  const reason = 'no value is set for the secret TOKEN';
  const hint = 'set MAINSHEET_SECRET_TOKEN, or put a file TOKEN into MAINSHEET_SECRETS_DIR';
  assert.deepEqual(outcome, { kind: 'failed', fault: 'mainsheet', reason, hint });
  assert.match(log, new RegExp(`^Mainsheet failed: ${reason}\n  → ${hint}$`, 'm'));
  assert.equal(steps[0]?.startedAt, undefined);
});

test("a secret in an output's name is masked, as one in its value is", async () => {
  const { outcome, run } = await executed({
    run: 'echo "$TOKEN=1" >> "$MAINSHEET_OUTPUT"; echo "b=$TOKEN" >> "$MAINSHEET_OUTPUT"',
    secrets: { TOKEN: 'hunter2_hunter2' },
  });
  assert.equal(outcome.kind, 'succeeded');
  assert.deepEqual(run.outputs, { '***': '1', b: '***' });
  assert.deepEqual(run.maskedOutputs, ['***', 'b']);
});

test('of a long reason, which another system may have said, the beginning is kept, and no half of a secret', async () => {
  const { rows, log } = await executed({
    run: 'true',
    secrets: { TOKEN: 'hunter2_hunter2' },
    fails: `${'x'.repeat(990)}hunter2_hunter2${'y'.repeat(100_000)}`,
  });
  assert.doesNotMatch(rows + log, /hunter|y{20}/);
  assert.match(log, /x{990}\*\*\*yyyyyy…/);
});

test('masking a large output or log full of escapes lets other work have its turn', async () => {
  const large = `head -c 500000 /dev/zero | tr '\\0' '%'`;
  let longest = 0;
  let before = process.threadCpuUsage();
  let isOver = false;
  const look = () => {
    const { user, system } = process.threadCpuUsage(before);
    longest = Math.max(longest, user + system);
    before = process.threadCpuUsage();
    if (!isOver) setImmediate(look);
  };
  setImmediate(look);
  const { outcome } = await executed({
    run: `{ printf v=; ${large}; } > "$MAINSHEET_OUTPUT"; ${large}`,
    secrets: { TOKEN: 'hunter2_hunter2' },
  });
  isOver = true;
  assert.equal(outcome.kind, 'succeeded');
  assert.ok(longest < 200_000, `the event loop was held up for ${longest / 1000} ms`);
});

/** A step that gets a secret in an output, and fails unless it is as it was. */
const WITH_SECRET = {
  secrets: { TOKEN: 'hunter2_hunter2' },
  env: { URL: '${{ outputs.url }} ${{ run.outputs.url }}' },
  run: 'test "$URL" = "https://x:$TOKEN@host https://x:$TOKEN@host"; echo DEPLOY',
};

test('an output that holds a secret reaches the next step as it is, and nothing that is stored', async () => {
  const { outcome, run, log, rows } = await executed({
    ...WITH_SECRET,
    before: 'echo "url=https://x:$TOKEN@host" >> "$MAINSHEET_OUTPUT"',
  });
  assert.deepEqual(outcome, { kind: 'succeeded', outputs: { url: 'https://x:***@host' } });
  assert.deepEqual(run.maskedOutputs, ['url']);
  assert.match(log, /^DEPLOY$/m);
  assert.doesNotMatch(rows, /hunter2/);
});

test('to another machine go the values that its spec writes, and no secret that it only lists', async () => {
  let elsewhere: Record<string, string> = {};
  await executed({
    run: 'true',
    secrets: { TOKEN: 'hunter2_hunter2', LISTED: 'hunter3_hunter3' },
    env: { SENT: '${{ secrets.TOKEN }}', TZ: 'UTC' },
    see: (context) => void (elsewhere = environmentElsewhere(context)),
  });
  const { CI, SENT, TZ, ...mainsheets } = elsewhere;
  assert.deepEqual({ CI, SENT, TZ }, { CI: 'true', SENT: 'hunter2_hunter2', TZ: 'UTC' });
  assert.deepEqual(
    Object.keys(mainsheets).map((name) => name.replace('MAINSHEET_', '')),
    'RUN_ID SPEC ENVIRONMENT REPOSITORY REF BRANCH TAG SHA EVENT DELIVERY'.split(' '),
  );
});

const key = createSeal(Buffer.alloc(32, 1));
const RESUMED_WITH_SECRET = {
  ...WITH_SECRET,
  attempts: 2,
  stepStates: ['succeeded', 'running'],
  before: 'echo BEFORE; echo "url=https://x:$TOKEN@host" >> "$MAINSHEET_OUTPUT"',
  outputs: { url: 'https://x:hunter2_hunter2@host' },
  kept: true,
} as const;

test('an output that holds a secret is as it was also when the run goes on after a restart', async () => {
  const { outcome, log, keep } = await executed({ ...RESUMED_WITH_SECRET, sealedWith: key });
  assert.deepEqual(outcome, { kind: 'succeeded', outputs: { url: 'https://x:***@host' } });
  assert.match(log, /^DEPLOY$/m);
  assert.doesNotMatch(log, /BEFORE/);
  assert.equal(keep, 'the tree before');
});

test('a run whose outputs cannot be had as they were starts again at the first step', async () => {
  const sealedWith = createSeal(Buffer.alloc(32, 2));
  const { outcome, log, keep } = await executed({
    ...RESUMED_WITH_SECRET,
    sealedWith,
    kept: false,
  });
  assert.equal(outcome.kind, 'succeeded');
  assert.match(log, /^BEFORE$[^]*^DEPLOY$/m);
  assert.equal(keep, undefined, 'the work tree is not asked for');
});

test("a step that is stopped at the run's limit is not said to have exceeded its own", async () => {
  const directory = await mkdtemp(join(tmpdir(), 'mainsheet-limit-'));
  const mark = join(directory, 'before');
  const { outcome } = await executed({
    run: 'sleep 600',
    before: `touch '${mark}'`,
    timeoutMs: 60_000,
    stepTimeoutMs: 59_000,
    // The first step takes nearly all of the time that the run has.
    clock: {
      ...systemClock,
      elapsed: () => systemClock.elapsed() + (existsSync(mark) ? 59_500 : 0),
    },
  });
  await rm(directory, { recursive: true });
  assert.deepEqual(outcome, {
    kind: 'failed',
    fault: 'step',
    reason: 'Step "Deploy" failed: the run took longer than its 1m 00s',
  });
});

test("a checkout that hangs is ended at the run's limit, as Mainsheet's failure and not a step's", async () => {
  const { outcome } = await executed({
    run: 'true',
    timeoutMs: 100,
    checkout: (signal) => delay(60_000, undefined, signal === undefined ? {} : { signal }),
  });
  assert.equal(outcome.kind, 'failed');
  assert.partialDeepStrictEqual(outcome, { fault: 'mainsheet' });
  assert.match(JSON.stringify(outcome), /the checkout took longer than the run's 100ms/);
});

/** A run that was taken up again after its first step. */
const RESUMED = {
  attempts: 2,
  outputs: { from: 'before' },
  stepStates: ['succeeded', 'running'],
  before: 'echo BEFORE; echo from=again >> "$MAINSHEET_OUTPUT"',
  run: 'echo DEPLOY',
} as const;

test('a run that is taken up again where its work tree is goes on at the first unfinished step, by the same name', async () => {
  const names: string[] = [];
  const see = ({ attemptId }: StepContext) => void names.push(attemptId);
  const { outcome, log, keep } = await executed({ ...RESUMED, kept: true, see });
  assert.deepEqual(names, ['r1-2-1']);
  assert.deepEqual(outcome, { kind: 'succeeded', outputs: { from: 'before' } });
  assert.match(log, /^DEPLOY$/m);
  assert.doesNotMatch(log, /^BEFORE$/m);
  assert.equal(keep, 'the tree before');
});

test('what a step keeps is there for the same attempt after a restart, and no secret of it is in a row', async () => {
  const text = '{"url":"https://x:hunter2_hunter2@host"}';
  const secrets = { TOKEN: 'hunter2_hunter2' };
  const first = await executed({ run: 'true', secrets, see: async ({ keep }) => await keep(text) });
  assert.doesNotMatch(first.rows, /hunter2/);
  const kept = first.steps[0]?.kept;
  assert.ok(kept);
  const seen: unknown[] = [];
  const resumed = {
    run: 'true',
    secrets,
    attempts: 2,
    kept: true,
    stepStates: ['running'],
    see: (context: StepContext) => void seen.push([context.attemptId, context.kept]),
  } as const;
  const second = await executed({ ...resumed, stepsBefore: { attempts: 3, kept } });
  assert.equal(second.outcome.kind, 'succeeded');
  assert.deepEqual(seen, [['r1-1-3', text]]);
  const damaged = await executed({ ...resumed, stepsBefore: { kept: `${kept.slice(0, -4)}AAAA` } });
  assert.equal(seen.length, 1);
  assert.match(JSON.stringify(damaged.outcome), /cannot be read on this machine/);
});

test('an attempt at an http step begins with the key of the one before that got no answer, also of a run that it repeats', async () => {
  const seen: [string, string | undefined][] = [];
  const see = ({ attemptId, kept }: StepContext) => void seen.push([attemptId, kept]);
  const step = { kind: 'http', retry: { attempts: 2, backoffMs: 0 } } as unknown as StepSpec;
  await executed({ run: 'exit 1', see, step });
  assert.deepEqual(seen.splice(0), [
    ['r1-1-1', undefined],
    ['r1-1-2', '{"key":"r1-1-1"}'],
  ]);
  const unanswered = '{"key":"t0-1-3"}';
  const tried: [tries: [attempts: number, kept?: string][], carried: string | undefined][] = [
    [[], undefined],
    [[[3]], unanswered],
    [[[1, '{"key":"earlier"}']], '{"key":"earlier"}'],
    [[[1, '{"result":{}}']], undefined],
    [[[1, 'sealed:unreadable']], undefined],
    [[[3], [0]], unanswered],
    [[[3], [1, `{"result":{},"key":"t0-1-3"}`]], unanswered],
    // Whichever of them is tried again: the receiver knows that key by now.
    [[[3], [1, '{"result":{}}']], undefined],
    [[[3], [1, '{"result":{}}'], [0]], undefined],
  ];
  for (const [tries, carried] of tried) {
    await executed({
      run: 'true',
      see,
      step,
      made: { cause: 'retry', delivery: 'd' },
      async earlier(store) {
        for (const [index, [attempts, kept]] of tries.entries()) {
          const cause = index === 0 ? 'event' : 'retry';
          await store.runs.insert(sampleRun(`t${index}`, { cause, delivery: 'd' }), ['Deploy']);
          const [own] = await store.steps.ofRun(`t${index}`);
          assert.ok(own);
          await store.steps.update(`t${index}`, { ...own, attempts, state: 'failed', kept });
        }
      },
    });
    assert.deepEqual(seen.splice(0), [['r1-1-1', carried]], JSON.stringify(tries));
  }
});

test('a run that is taken up again where its work tree is not starts again at the first step', async () => {
  const outputs = { from: 'before', other: 'of a step that is done again' };
  const { outcome, log, steps, workTree } = await executed({ ...RESUMED, outputs });
  assert.deepEqual(outcome, { kind: 'succeeded', outputs: { from: 'again' } });
  assert.match(log, /The work tree of the attempt before is not here: starting again/);
  assert.match(log, /^BEFORE$[^]*^DEPLOY$/m);
  assert.deepEqual(
    steps.map(({ state, attempts }) => [state, attempts]),
    [
      ['succeeded', 1],
      ['succeeded', 1],
    ],
  );
  assert.equal(workTree, 'a tree', 'the next attempt looks for this one');
});

test('a run all of whose steps had succeeded before the death needs no work tree, and no step again', async () => {
  const { outcome, log } = await executed({ ...RESUMED, stepStates: ['succeeded', 'succeeded'] });
  assert.deepEqual(outcome, { kind: 'succeeded', outputs: { from: 'before' } });
  assert.doesNotMatch(log, /BEFORE|DEPLOY/);
});

test('a step that had failed before the death is not run again', async () => {
  const { outcome, log, steps } = await executed({
    ...RESUMED,
    stepStates: ['failed', 'pending'],
    kept: true,
  });
  assert.deepEqual(outcome, {
    kind: 'failed',
    fault: 'step',
    reason: 'Step 1 failed: exit code 3',
  });
  assert.doesNotMatch(log, /BEFORE|DEPLOY/);
  assert.deepEqual(
    steps.map(({ state }) => state),
    ['failed', 'skipped'],
  );
});

test('with on-interrupt: fail no finished step is done again for want of its work tree', async () => {
  const { outcome, log } = await executed({
    ...RESUMED,
    stepStates: ['succeeded', 'pending'],
    onInterrupt: 'fail',
  });
  assert.deepEqual(outcome, {
    kind: 'failed',
    fault: 'mainsheet',
    reason: 'interrupted, its work tree is lost, and on-interrupt is fail',
  });
  assert.doesNotMatch(log, /^BEFORE$|^DEPLOY$/m);
});

test('a run that was interrupted again and again ends, since it may be what kills Mainsheet (G6, G9)', async () => {
  const last = await executed({ ...RESUMED, attempts: 20, kept: true });
  assert.equal(last.outcome.kind, 'succeeded');
  const { outcome, log, steps } = await executed({ ...RESUMED, attempts: 21, kept: true });
  assert.deepEqual(outcome, {
    kind: 'failed',
    fault: 'mainsheet',
    reason: 'interrupted 20 times, the last time before step "Deploy" had ended',
  });
  assert.doesNotMatch(log, /^DEPLOY$/m);
  assert.deepEqual(
    steps.map(({ state }) => state),
    ['succeeded', 'cancelled'],
  );
});

test('a clock that is set an hour forward during a run ends nothing', async () => {
  let ahead = 0;
  const { outcome, steps } = await executed({
    clock: { ...systemClock, now: () => Date.now() + ahead },
    checkout: async () => void (ahead += 3_600_000),
    before: 'echo BUILD',
    run: 'echo DEPLOY',
    timeoutMs: 15 * 60_000,
  });
  assert.equal(outcome.kind, 'succeeded');
  assert.deepEqual(
    steps.map((step) => step.state),
    ['succeeded', 'succeeded'],
  );
});

test('a process that has lost a run to another does no further step and writes nothing more', async () => {
  let taken: Run | undefined;
  await assert.rejects(
    executed({
      before: 'echo BEFORE; sleep 0.3',
      run: 'echo DEPLOY',
      checkout: async (_, store) => {
        const run = await store.runs.get('r1');
        assert.ok(run);
        taken = { ...run, attempts: run.attempts + 1 };
        assert.ok(await store.runs.update(taken, { state: run.state }));
      },
      afterwards: async (store) => {
        assert.deepEqual(await store.runs.get('r1'), taken);
        const states = (await store.steps.ofRun('r1')).map(({ state }) => state);
        assert.deepEqual(states, ['pending', 'pending']);
        assert.doesNotMatch(JSON.stringify(await store.logs.read('r1', -1, 99)), /BEFORE|DEPLOY/);
      },
    }),
    { name: 'LostRunError' },
  );
});

test(
  'what an attempt before has left and cannot be removed keeps no run from running',
  { skip: foreign === undefined && 'only root can make what others cannot remove' },
  async () => {
    const { outcome, leftovers } = await executed({
      run: 'touch "$MAINSHEET_OUTPUT"',
      attempts: 2,
      found: foreign,
    });
    assert.deepEqual(outcome, { kind: 'succeeded', outputs: {} });
    assert.deepEqual(
      leftovers.map((name) => name.slice(0, 5)),
      ['.old-'],
      'out of the way',
    );
  },
);

interface Executed {
  /** The work tree that was asked for, and the one that is kept in the run's row. */
  keep: string | undefined;
  workTree: string | undefined;
  /** All bytes of the database, to look for what must not be there. */
  rows: string;
  outcome: Outcome;
  run: Run;
  steps: Step[];
  log: string;
  /** What is left in the directory of the steps' own files. */
  leftovers: string[];
}

/** Executes a run of the step `Deploy`, on a store of its own. */
async function executed(options: {
  run: string;
  /** Why the step fails, whatever it runs. */
  fails?: string;
  before?: string;
  /** Undefined: the spec names it, and it has no value. */
  secrets?: Record<string, string | undefined>;
  maxLogBytes?: number;
  clock?: Clock;
  timeoutMs?: number;
  stepTimeoutMs?: number;
  checkout?: (signal: AbortSignal | undefined, store: Store) => Promise<void>;
  attempts?: number;
  outputs?: Record<string, string>;
  /** The outputs are kept as with this seal; the run is executed with `key`. */
  sealedWith?: Seal;
  env?: Record<string, string>;
  /** What is to be otherwise about the last step. */
  step?: Partial<StepSpec>;
  /** What is to be otherwise about the run. */
  made?: Partial<NewRun>;
  /** Makes what is there before the run. */
  earlier?: (store: Store) => Promise<void>;
  /** Called with what the step is given. */
  see?: (context: StepContext) => void | Promise<void>;
  /** What the attempt before had come to. */
  stepStates?: readonly Step['state'][];
  /** What each step has kept, as its row has it, and its attempts. */
  stepsBefore?: { kept?: string | undefined; attempts?: number };
  /** Whether the work tree is still the one of the attempt before. */
  kept?: boolean;
  onInterrupt?: 'restart' | 'fail';
  /** What the attempt before has written. */
  logged?: string;
  /** What is found where the run's own files are to be. */
  found?: string | undefined;
  notify?: NotifySpec[];
  afterwards?: (store: Store) => Promise<void>;
}): Promise<Executed> {
  const root = await mkdtemp(join(tmpdir(), 'mainsheet-execute-'));
  const store = await newStore(join(root, 'mainsheet.db'));
  try {
    const directory = join(root, 'tree');
    await mkdir(directory);
    const { secrets = {}, timeoutMs = 60_000 } = options;
    const spec = specOf(options, Object.keys(secrets), timeoutMs);
    const scratchDirectory = join(root, 'scratch');
    let keep: string | undefined;
    const shell = await findShell();
    const runProgram = createRunProgram({ clock: systemClock, shell });
    const execute = createExecute({
      store,
      ordering: { whyNotToDeploy: async () => undefined },
      seal: key,
      orphans: { endOfRun: async () => 0 },
      checkouts: {
        prepare: async (request) => {
          keep = request.keep;
          await options.checkout?.(request.signal, store);
          const { sha } = request;
          return { directory, sha, name: 'a tree', kept: options.kept === true };
        },
        retain: async () => {},
        sweep: async () => {},
      },
      steps: async (context) => {
        const shellContext = context as StepContext<ShellStepSpec>;
        await options.see?.(shellContext);
        if (options.fails !== undefined) return failedStep(options.fails);
        return await createShellStep({ runProgram, shell })(shellContext);
      },
      inherited: { PATH: process.env['PATH'] },
      clock: options.clock ?? systemClock,
      news: createBroadcast<News>(),
      specOf: async () => spec,
      secret: (name) => secrets[name],
      scratchDirectory,
      maxLogBytes: options.maxLogBytes ?? 1024 * 1024,
    });
    const names = spec.steps.map((step) => step.name);
    const { attempts = 1, outputs = {} } = options;
    await options.earlier?.(store);
    const inserted = await store.runs.insert(
      sampleRun('r1', { attempts, outputs, ...options.made }),
      names,
    );
    assert.ok(inserted !== undefined);
    if (options.sealedWith !== undefined) {
      const maskLong = async (text: string) =>
        maskText(
          Object.values(secrets).filter((value) => value !== undefined),
          text,
        );
      const seal = options.sealedWith;
      await store.runs.setOutputs('r1', await toKeep(outputs, { run: inserted, maskLong, seal }));
    }
    const made = (await store.runs.get('r1')) ?? inserted;
    await store.runs.setWorkTree('r1', 'the tree before');
    for (const [index, state] of (options.stepStates ?? []).entries()) {
      const [step] = (await store.steps.ofRun('r1')).slice(index);
      assert.ok(step);
      const reason = state === 'failed' ? 'exit code 3' : '';
      await store.steps.update('r1', {
        ...step,
        state,
        reason,
        attempts: state === 'pending' ? 0 : 1,
        ...options.stepsBefore,
      });
    }
    if (options.logged !== undefined) {
      const chunk = { seq: 0, at: 1, step: 0, stream: 'stdout' as const, text: options.logged };
      await store.logs.append('r1', [chunk]);
    }
    if (options.found !== undefined) {
      await mkdir(scratchDirectory);
      await rename(options.found, join(scratchDirectory, 'r1'));
    }
    let outcome: Outcome;
    try {
      outcome = await execute(made, new AbortController().signal);
    } finally {
      await options.afterwards?.(store);
    }
    const run = await store.runs.get(made.id);
    assert.ok(run !== undefined);
    const chunks = await store.logs.read(made.id, -1, 10_000);
    return {
      outcome,
      keep,
      workTree: await store.runs.workTree('r1'),
      rows:
        (await readFile(join(root, 'mainsheet.db'), 'latin1')) +
        (await readFile(join(root, 'mainsheet.db-wal'), 'latin1')),
      run,
      steps: await store.steps.ofRun(made.id),
      log: chunks.map((chunk) => chunk.text).join(''),
      leftovers: await readdir(scratchDirectory).catch(() => []),
    };
  } finally {
    await store.close();
    await rm(root, { recursive: true, force: true }).catch((error: unknown) => {
      if (options.found === undefined) throw error;
    });
  }
}

function makeForeign(): string {
  const base = mkdtempSync(join(tmpdir(), 'mainsheet-foreign-'));
  const directory = join(base, 'movable');
  mkdirSync(join(directory, 'kept'), { recursive: true });
  writeFileSync(join(directory, 'kept', 'x'), '');
  chmodSync(directory, 0o777);
  chownSync(base, NOBODY, NOBODY);
  // To be found again wherever it was moved to.
  const clear =
    'read end; rm -rf "$0"; for d in "${0%/*}"/mainsheet-execute-*/scratch/.old-*/kept; do rm -rf "${d%/scratch/*}"; done';
  const child = spawn('sh', ['-c', clear, base], { stdio: ['pipe', 'ignore', 'ignore'] });
  child.unref();
  return directory;
}

function specOf(
  options: {
    run: string;
    before?: string;
    env?: Record<string, string>;
    stepTimeoutMs?: number;
    onInterrupt?: 'restart' | 'fail';
    notify?: NotifySpec[];
    step?: Partial<StepSpec>;
  },
  secrets: string[],
  timeoutMs: number,
): DeploymentSpec {
  const step = (name: string, run: string, limit: number | undefined) => ({
    kind: 'shell' as const,
    name,
    run,
    env: name === 'Deploy' ? (options.env ?? {}) : {},
    timeoutMs: limit,
    retry: { attempts: 1, backoffMs: 0 },
  });
  return sampleLoaded({
    onInterrupt: options.onInterrupt ?? 'restart',
    secrets,
    timeoutMs,
    notify: options.notify ?? [],
    steps: [
      ...(options.before === undefined ? [] : [step('Step 1', options.before, undefined)]),
      { ...step('Deploy', options.run, options.stepTimeoutMs), ...options.step },
    ],
  }).spec;
}
