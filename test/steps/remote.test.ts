import assert from 'node:assert/strict';
import { createServer, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, test, type TestContext } from 'node:test';
import type { Clock } from '../../src/lib/clock.ts';
import type { StepSpec } from '../../src/model/deployment-spec.ts';
import { parseSpecs } from '../../src/spec/load.ts';
import { createAsk, type Ask } from '../../src/steps/ask.ts';
import { createAwxStep } from '../../src/steps/awx.ts';
import type { DoStep, StepResult } from '../../src/steps/contract.ts';
import { createJenkinsStep } from '../../src/steps/jenkins.ts';
import { createTargets } from '../../src/steps/targets.ts';
import { createWorkflowStep } from '../../src/steps/workflow.ts';
import { connect } from '../github/support.ts';
import { actionsStand, awxStand, jenkinsStand, type Stand } from './stands.ts';

const STARTS = /\/(?:launch\/|buildWithParameters|dispatches)/;
/** No whole lines. */
const HELD = 5;
const FREE = { take: async () => ({ sent() {}, failed() {} }) };

const ACTIONS = {
  secret: 'the-secret',
  kind: ({ clock, url }: { clock: Clock; url: string }) =>
    createWorkflowStep({ github: connect(url).github, budget: FREE, clock }),
  bad: /^workflow run 90 ended with failure: PLAY \(failure\)$/,
};

const AWX = {
  name: 'AWX',
  stand: awxStand,
  secret: 'the-secret',
  yaml: (url: string) =>
    `awx: { server: '${url}/', template: 42, extra-vars: { sha: '\${{ run.sha }}' }, secret: TOKEN }`,
  kind: createAwxStep,
  bad: /^AWX job 7 is failed$/,
};

const JENKINS = {
  name: 'Jenkins',
  stand: jenkinsStand,
  secret: 'bot:the-secret',
  yaml: (url: string) =>
    `jenkins: { server: '${url}', job: deploy/shop, parameters: { SHA: '\${{ run.sha }}' }, secret: TOKEN }`,
  kind: createJenkinsStep,
  bad: /^Jenkins build 12 is FAILURE$/,
};

const SYSTEMS = [
  AWX,
  JENKINS,
  {
    ...ACTIONS,
    name: 'A workflow',
    stand: () => actionsStand(true),
    yaml: () =>
      "workflow: { repository: acme/infra, workflow: apply.yml, inputs: { sha: '${{ run.sha }}' }, id-input: id }",
  },
  {
    ...ACTIONS,
    name: 'A workflow of a server that does not say which run it has started',
    stand: () => actionsStand(false),
    yaml: () =>
      "workflow: { repository: acme/infra, workflow: apply.yml, inputs: { sha: '${{ run.sha }}' }, id-input: id }",
  },
  {
    ...ACTIONS,
    name: 'What listens to a repository_dispatch',
    stand: () => actionsStand(true),
    yaml: () =>
      "workflow: { repository: acme/infra, event-type: apply, client-payload: { sha: '${{ run.sha }}' } }",
  },
];

interface System<Own extends Stand> {
  stand: () => Own;
  secret: string;
  yaml: (url: string) => string;
  kind: (deps: { ask: Ask; clock: Clock; url: string }) => unknown;
}

async function setUp<Own extends Stand>(t: TestContext, system: System<Own>) {
  const stand = system.stand();
  const connection = { losesStart: false, holdsStart: false };
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const answer = (to: ServerResponse) =>
        stand.answer(request, Buffer.concat(chunks).toString(), to);
      if ((connection.losesStart || connection.holdsStart) && STARTS.test(request.url ?? '')) {
        answer(new ServerResponse(request));
        if (stand.starts.length > 0) {
          if (connection.losesStart) request.socket.destroy();
          return;
        }
      }
      answer(response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const text = `name: x\nrepository: a/b\non: { push: {} }\nsecrets: [TOKEN]\nsteps:\n  - ${system.yaml(url)}\n`;
  const { specs, problems } = parseSpecs('x.yaml', text);
  assert.deepEqual(problems, []);
  const step = specs[0]?.spec.steps[0];
  assert.ok(step);
  // That of the other system is behind.
  const now = () => Date.now() + 1_800_000;
  const clock: Clock = { now, elapsed: () => 0, sleep: async () => {} };
  const ask = createAsk({ targets: createTargets(['127.0.0.0/8']), fetch });
  const kind = system.kind({ ask, clock, url }) as DoStep<StepSpec>;
  const disk: { kept?: string; log: string } = { log: '' };
  const lines: string[] = [];
  return {
    stand,
    connection,
    disk,
    lines,
    /** `dieAt`: at which keeping the process dies, before it has kept anything or after. */
    run: async (
      options: { dieAt?: number; keptFirst?: boolean; signal?: AbortSignal } = {},
    ): Promise<StepResult> => {
      let count = 0;
      let held = '';
      function keep(kept: string, output = ''): void {
        count += 1;
        if (count !== options.dieAt || options.keptFirst === true) {
          disk.kept = kept;
          disk.log += output;
        }
        if (count === options.dieAt) throw new Error('the process has died');
      }
      return await kind({
        step,
        attemptId: 'r1-1-1',
        directory: '/',
        scratch: '/',
        env: {},
        written: {},
        values: { run: { sha: 'abc' } },
        secrets: { TOKEN: system.secret },
        kept: disk.kept,
        keep: async (kept) => keep(kept),
        // As the masker does, the log holds back the last units of what comes.
        async logAndKeep(output, keptOf) {
          lines.push(output);
          const text = held + output;
          held = text.slice(-HELD);
          keep(keptOf(held.length), text.slice(0, -HELD));
        },
        log: (_stream, line) => lines.push(line),
        signal: options.signal ?? new AbortController().signal,
        timeoutMs: 60_000,
      });
    },
  };
}

for (const system of SYSTEMS) {
  describe(system.name, () => {
    test('is started once and waited for, and its output is in the log', async (t) => {
      const { stand, run, lines } = await setUp<Stand>(t, system);
      assert.equal((await run()).outcome, 'succeeded');
      assert.equal(stand.starts.length, 1);
      assert.equal(lines.filter((line) => line.includes('PLAY')).length > 0, true);
    });

    test('what was started and whose answer was lost is found, and not started again', async (t) => {
      const { stand, connection, run } = await setUp<Stand>(t, system);
      connection.losesStart = true;
      assert.equal((await run()).outcome, 'succeeded');
      assert.equal(stand.starts.length, 1);
    });

    if (system.stand().output !== undefined) {
      test('more output than is read at once changes nothing of how it ends, and the log says where it is', async (t) => {
        const { stand, run, lines } = await setUp<Stand>(t, system);
        [stand.output, stand.looks] = ['x'.repeat(2 * 1024 * 1024), 30];
        assert.equal((await run()).outcome, 'succeeded');
        assert.equal(lines.filter((line) => line.startsWith('Too much output')).length, 1);
      });
    }

    test('a work that fails fails the step', async (t) => {
      const { stand, run } = await setUp<Stand>(t, system);
      stand.end = 'bad';
      const result = await run();
      assert.ok(result.outcome === 'failed');
      assert.match(result.reason, system.bad);
    });

    for (const [dieAt, keptFirst] of [
      [1, false],
      [1, true],
      [2, false],
      [2, true],
      [3, false],
      [3, true],
      [4, false],
      [4, true],
      [5, false],
      [5, true],
    ] as const) {
      // Only a log is kept that often.
      if (dieAt > 3 && system.stand().output === undefined) continue;
      test(`a process that dies at keeping number ${dieAt}, ${keptFirst ? 'after' : 'before'} the disk has it, starts nothing twice`, async (t) => {
        const { stand, run, disk } = await setUp<Stand>(t, system);
        await run({ dieAt, keptFirst });
        assert.equal((await run()).outcome, 'succeeded');
        assert.equal(stand.starts.length, 1);
        if (stand.output !== undefined)
          assert.equal(disk.log, stand.output.slice(0, -HELD), 'each line once');
      });
    }

    test('a cancelled step cancels it, a controller that stops leaves it going', async (t) => {
      for (const [why, cancelled] of [
        [{ kind: 'interrupt' }, 0],
        [{ kind: 'cancel', reason: 'x' }, 1],
      ] as const) {
        const { stand, run, disk } = await setUp<Stand>(t, system);
        stand.looks = Infinity;
        const stop = new AbortController();
        const running = run({ signal: stop.signal });
        while (disk.kept?.includes('"work"') !== true) await new Promise(setImmediate);
        stop.abort(why);
        assert.equal((await running).outcome, 'cancelled');
        assert.equal(stand.cancelled.length, cancelled);
      }
    });

    test('a step that is cancelled before its start was answered cancels what was started', async (t) => {
      const { stand, connection, run } = await setUp<Stand>(t, system);
      [stand.looks, connection.holdsStart] = [Infinity, true];
      const stop = new AbortController();
      const running = run({ signal: stop.signal });
      while (stand.starts.length === 0) await new Promise(setImmediate);
      stop.abort({ kind: 'cancel', reason: 'x' });
      assert.equal((await running).outcome, 'cancelled');
      assert.equal(stand.cancelled.length, 1);
    });
  });
}

for (const [takes, starts, cancelled, reason] of [
  [
    'none',
    0,
    0,
    /^the AWX template 42 takes no variables, and was not started .*"Prompt on launch"/,
  ],
  [
    'survey',
    1,
    1,
    /^AWX job 7 was started without mainsheet_id, and is cancelled .*"Prompt on launch"/,
  ],
] as const) {
  test(`a template of AWX that takes ${takes === 'none' ? 'no variables' : 'those of its survey alone'} fails the step`, async (t) => {
    const { stand, run } = await setUp(t, AWX);
    stand.takes = takes;
    const result = await run();
    assert.ok(result.outcome === 'failed');
    assert.match(result.reason, reason);
    assert.deepEqual([stand.starts.length, stand.cancelled.length], [starts, cancelled]);
  });
}

test('a template of AWX that takes variables no more is not started again when it is not known whether it was', async (t) => {
  const { stand, run, disk } = await setUp(t, AWX);
  disk.kept = JSON.stringify({ id: 'mainsheet-1', at: Date.now() });
  stand.takes = 'survey';
  const result = await run();
  assert.ok(result.outcome === 'failed');
  assert.match(result.reason, /^Mainsheet was restarted before it knew .*"Prompt on launch"/);
  assert.equal(stand.starts.length, 0);
});

test('with more new jobs than are looked through nothing of AWX is started again', async (t) => {
  const { stand, run, disk } = await setUp(t, AWX);
  disk.kept = JSON.stringify({ id: 'mainsheet-1', at: Date.now() });
  stand.others = Array<string>(1001).fill('{}');
  const result = await run();
  assert.ok(result.outcome === 'failed');
  assert.match(result.reason, /too many new ones/);
  assert.equal(stand.starts.length, 0);
});

for (const [shows, said] of [
  ['a string', /^AWX has not answered as it documents, so its output is at .*jobs\/playbook\/7\n$/],
  ['a sentence', /^Too much output to be read at once; the rest is at .*jobs\/playbook\/7\n$/],
] as const) {
  test(`AWX that answers ${shows} in place of the output changes nothing of how the step ends`, async (t) => {
    const { stand, run, lines } = await setUp(t, AWX);
    stand.shows = shows;
    stand.looks = 30;
    assert.equal((await run()).outcome, 'succeeded');
    assert.equal(lines.filter((line) => said.test(line)).length, 1);
  });
}

test('AWX that is long in storing all of the output does not keep the step', async (t) => {
  const { stand, run, lines } = await setUp(t, AWX);
  stand.late = 40;
  assert.equal((await run()).outcome, 'succeeded');
  assert.match(lines.at(-1) ?? '', /^AWX has not stored all of the output yet/);
});

test('a build of Jenkins is found when its queue item is forgotten', async (t) => {
  const { stand, run, disk } = await setUp(t, JENKINS);
  await run({ dieAt: 3 });
  assert.match(disk.kept ?? '', /queue 5/);
  stand.forgets = true;
  assert.equal((await run()).outcome, 'succeeded');
  assert.equal(stand.starts.length, 1);
});

for (const [name, change, why] of [
  ['that does not declare MAINSHEET_ID', { declares: false }, /declare the parameter MAINSHEET_ID/],
  ['with more new builds than are looked through', { others: 1000 }, /too many new ones/],
] as const) {
  test(`a job of Jenkins ${name} is not started again when it is not known whether it was`, async (t) => {
    const { stand, run } = await setUp(t, JENKINS);
    Object.assign(stand, change, { looks: 2 });
    await run({ dieAt: 2 });
    const result = await run();
    assert.ok(result.outcome === 'failed');
    assert.match(result.reason, /^it is not known which build of deploy\/shop was started/);
    assert.match(result.reason, why);
    assert.equal(stand.starts.length, 1);
  });
}

test('a workflow that is not passed an id is not started again when it is not known whether it was', async (t) => {
  const { stand, run, disk } = await setUp(t, {
    ...ACTIONS,
    stand: () => actionsStand(true),
    yaml: () => 'workflow: { repository: a/b, workflow: x.yml }',
  });
  disk.kept = JSON.stringify({ id: 'mainsheet-1' });
  const result = await run();
  assert.ok(result.outcome === 'failed');
  assert.match(result.reason, /restarted before it knew which run of a\/b was started .*id-input/);
  assert.equal(stand.starts.length, 0);
});
