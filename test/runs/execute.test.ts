import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { createBroadcast } from '../../src/lib/broadcast.ts';
import { systemClock } from '../../src/lib/clock.ts';
import type { DeploymentSpec } from '../../src/model/deployment-spec.ts';
import type { News } from '../../src/model/news.ts';
import type { Run, Step } from '../../src/model/run.ts';
import { createExecute } from '../../src/runs/execute.ts';
import type { Outcome } from '../../src/runs/outcome.ts';
import { createSteps } from '../../src/steps/index.ts';
import { createShellStep, findShell } from '../../src/steps/shell.ts';
import { openSqlite } from '../../src/store/engine.ts';
import { createStore } from '../../src/store/index.ts';
import { sampleRun } from '../store/samples.ts';
import { sampleLoaded } from './samples.ts';

// To root nothing is read-only, so root becomes somebody else for this file, which has a process of its own.
const NOBODY = 65_534;
if (process.getuid?.() === 0) {
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

test('the end of a log that is too long is in it once', async () => {
  const { outcome, log } = await executed({
    run: 'for i in $(seq 30000); do echo "line $i"; done; echo THE-END',
    maxLogBytes: 2000,
  });
  assert.equal(outcome.kind, 'succeeded');
  assert.equal(log.match(/of output left out/g)?.length, 1);
  assert.equal(log.match(/THE-END/g)?.length, 1);
});

test("a secret in an output's name is masked, as one in its value is", async () => {
  const { outcome, run } = await executed({
    run: 'echo "$TOKEN=1" >> "$MAINSHEET_OUTPUT"; echo "b=$TOKEN" >> "$MAINSHEET_OUTPUT"',
    secrets: { TOKEN: 'hunter2_hunter2' },
  });
  assert.equal(outcome.kind, 'succeeded');
  assert.deepEqual(run.outputs, { '***': '1', b: '***' });
});

test("a step that is stopped at the run's limit is not said to have exceeded its own", async () => {
  const { outcome } = await executed({
    run: 'sleep 600',
    before: 'sleep 0.7',
    timeoutMs: 1500,
    stepTimeoutMs: 1400,
  });
  assert.deepEqual(outcome, {
    kind: 'failed',
    fault: 'step',
    reason: 'Step "Deploy" failed: the run took longer than its 1.5s',
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

interface Executed {
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
  before?: string;
  secrets?: Record<string, string>;
  maxLogBytes?: number;
  timeoutMs?: number;
  stepTimeoutMs?: number;
  checkout?: (signal: AbortSignal | undefined) => Promise<void>;
}): Promise<Executed> {
  const root = await mkdtemp(join(tmpdir(), 'mainsheet-execute-'));
  const store = await createStore(openSqlite(join(root, 'mainsheet.db')), 'sqlite');
  try {
    const directory = join(root, 'tree');
    await mkdir(directory);
    const { secrets = {}, timeoutMs = 60_000 } = options;
    const spec = specOf(options, Object.keys(secrets), timeoutMs);
    const scratchDirectory = join(root, 'scratch');
    const execute = createExecute({
      store,
      order: { isLate: async () => false },
      orphans: { endOfRun: async () => 0 },
      checkouts: {
        prepare: async ({ sha, signal }) => {
          await options.checkout?.(signal);
          return { directory, sha };
        },
        retain: async () => {},
        sweep: async () => {},
      },
      steps: createSteps({
        shell: createShellStep({ clock: systemClock, shell: await findShell() }),
      }),
      inherited: { PATH: process.env['PATH'] },
      clock: systemClock,
      news: createBroadcast<News>(),
      specOf: async () => spec,
      secret: (name) => secrets[name],
      scratchDirectory,
      maxLogBytes: options.maxLogBytes ?? 1024 * 1024,
    });
    const names = spec.steps.map((step) => step.name);
    const made = await store.runs.insert(sampleRun('r1'), names);
    assert.ok(made !== undefined);
    const outcome = await execute(made, new AbortController().signal);
    const run = await store.runs.get(made.id);
    assert.ok(run !== undefined);
    const chunks = await store.logs.read(made.id, -1, 10_000);
    return {
      outcome,
      run,
      steps: await store.steps.ofRun(made.id),
      log: chunks.map((chunk) => chunk.text).join(''),
      leftovers: await readdir(scratchDirectory),
    };
  } finally {
    await store.close();
    await rm(root, { recursive: true, force: true });
  }
}

function specOf(
  options: { run: string; before?: string; stepTimeoutMs?: number },
  secrets: string[],
  timeoutMs: number,
): DeploymentSpec {
  const step = (name: string, run: string, limit: number | undefined) => ({
    kind: 'shell' as const,
    name,
    run,
    env: {},
    timeoutMs: limit,
    retry: { attempts: 1, backoffMs: 0 },
  });
  return sampleLoaded({
    secrets,
    timeoutMs,
    steps: [
      ...(options.before === undefined ? [] : [step('Before', options.before, undefined)]),
      step('Deploy', options.run, options.stepTimeoutMs),
    ],
  }).spec;
}
