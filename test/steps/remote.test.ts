import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, test, type TestContext } from 'node:test';
import type { Clock } from '../../src/lib/clock.ts';
import type { StepSpec } from '../../src/model/deployment-spec.ts';
import { parseSpecs } from '../../src/spec/load.ts';
import { createAsk } from '../../src/steps/ask.ts';
import { createAwxStep } from '../../src/steps/awx.ts';
import type { StepKind, StepResult } from '../../src/steps/contract.ts';
import { createJenkinsStep } from '../../src/steps/jenkins.ts';
import { createTargets } from '../../src/steps/targets.ts';
import { createWorkflowStep } from '../../src/steps/workflow.ts';
import { connect, TOKEN } from '../github/support.ts';

/** Another system, by its documented routes: what it was asked to start, and how that goes. */
interface Stand {
  /** Names under which work was started. */
  starts: string[];
  cancelled: string[];
  /** Looks until the work is over. */
  looks: number;
  end: 'good' | 'bad';
  answer(request: IncomingMessage, body: string, response: ServerResponse): void;
}

function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'Content-Type': 'application/json' });
  response.end(JSON.stringify(body));
}

/** https://docs.ansible.com/automation-controller/latest/html/controllerapi/api_ref.html */
function awxStand(): Stand {
  const stand: Stand = {
    starts: [],
    cancelled: [],
    looks: 2,
    end: 'good',
    answer(request, body, response) {
      assert.equal(request.headers.authorization, 'Bearer the-secret');
      const url = new URL(request.url ?? '', 'http://awx');
      if (url.pathname === '/api/v2/job_templates/42/launch/') {
        const { extra_vars: extra } = JSON.parse(body) as { extra_vars: Record<string, string> };
        assert.equal(extra['sha'], 'abc');
        stand.starts.push(extra['mainsheet_id'] ?? '');
        json(response, 201, { job: 7, status: 'pending' });
      } else if (url.pathname === '/api/v2/jobs/') {
        const id = url.searchParams.get('extra_vars__contains') ?? '';
        json(response, 200, { results: stand.starts.includes(id) ? [{ id: 7 }] : [] });
      } else if (url.pathname === '/api/v2/jobs/7/stdout/') {
        const from = Number(url.searchParams.get('start_line'));
        const content = from === 0 ? 'PLAY [all]\n' : '';
        json(response, 200, { range: { start: from, end: 1, absolute_end: 1 }, content });
      } else if (url.pathname === '/api/v2/jobs/7/cancel/') {
        stand.cancelled.push('7');
        json(response, 202, {});
      } else {
        stand.looks -= 1;
        const over = stand.end === 'good' ? 'successful' : 'failed';
        json(response, 200, { id: 7, status: stand.looks > 0 ? 'running' : over });
      }
    },
  };
  return stand;
}

/** https://www.jenkins.io/doc/book/using/remote-access-api */
function jenkinsStand(): Stand {
  const actionsOf = (id: string) => [{}, { parameters: [{ name: 'MAINSHEET_ID', value: id }] }];
  const stand: Stand = {
    starts: [],
    cancelled: [],
    looks: 3,
    end: 'good',
    answer(request, body, response) {
      const basic = Buffer.from('bot:the-secret').toString('base64');
      assert.equal(request.headers.authorization, `Basic ${basic}`);
      const { pathname } = new URL(request.url ?? '', 'http://jenkins');
      const isQueued = stand.looks > 2;
      if (pathname === '/job/deploy/job/shop/buildWithParameters') {
        const parameters = new URLSearchParams(body);
        assert.equal(parameters.get('SHA'), 'abc');
        stand.starts.push(parameters.get('MAINSHEET_ID') ?? '');
        response.writeHead(201, { Location: 'http://jenkins/queue/item/5/' }).end();
      } else if (pathname === '/queue/item/5/api/json') {
        stand.looks -= 1;
        json(response, 200, isQueued ? { why: 'busy' } : { executable: { number: 12 } });
      } else if (pathname === '/queue/api/json') {
        const items = stand.starts.map((id) => ({ id: 5, actions: actionsOf(id) }));
        json(response, 200, { items: isQueued ? items : [] });
      } else if (pathname === '/job/deploy/job/shop/api/json') {
        const builds = stand.starts.map((id) => ({ number: 12, actions: actionsOf(id) }));
        json(response, 200, { builds: isQueued ? [] : builds });
      } else if (pathname.endsWith('/logText/progressiveText')) {
        response.writeHead(200, { 'Content-Type': 'text/plain', 'X-Text-Size': '8' });
        response.end('PLAY all');
      } else if (/\/(?:stop|cancelItem)$/.test(pathname)) {
        stand.cancelled.push(pathname);
        response.writeHead(302, { Location: '/' }).end();
      } else {
        stand.looks -= 1;
        const over = stand.end === 'good' ? 'SUCCESS' : 'FAILURE';
        const building = stand.looks > 0;
        json(response, 200, { building, result: building ? null : over });
      }
    },
  };
  return stand;
}

/** https://docs.github.com/en/rest/actions. `tells`: whether it says which run it has started. */
function actionsStand(tells: boolean): Stand {
  const path = '/repos/acme/infra/actions';
  const title = (id: string) => ({ id: 90, display_title: `Apply ${id}` });
  const stand: Stand = {
    starts: [],
    cancelled: [],
    looks: 2,
    end: 'good',
    answer(request, body, response) {
      assert.equal(request.headers.authorization, `token ${TOKEN}`);
      const { pathname, searchParams } = new URL(request.url ?? '', 'http://github');
      const given = body === '' ? {} : (JSON.parse(body) as Record<string, unknown>);
      if (pathname === `${path}/workflows/apply.yml/dispatches`) {
        const { ref, inputs, return_run_details: isAsked } = given;
        assert.equal(ref, 'main');
        if (!tells && isAsked !== undefined) {
          const message = 'Invalid request: "return_run_details" is not a permitted key.';
          return json(response, 422, { message });
        }
        const { sha, id } = inputs as Record<string, string>;
        assert.equal(sha, 'abc');
        stand.starts.push(id ?? '');
        if (!tells) return void response.writeHead(204).end();
        json(response, 200, { workflow_run_id: 90, run_url: 'x', html_url: 'x' });
      } else if (pathname === '/repos/acme/infra/dispatches') {
        const { event_type: type, client_payload: payload } = given;
        const { sha, mainsheet_id: id } = payload as Record<string, string>;
        assert.deepEqual([type, sha], ['apply', 'abc']);
        stand.starts.push(id ?? '');
        response.writeHead(204).end();
      } else if (pathname.endsWith('/runs')) {
        assert.match(searchParams.get('event') ?? '', /^(?:workflow|repository)_dispatch$/);
        json(response, 200, { workflow_runs: stand.starts.map(title) });
      } else if (pathname === `${path}/runs/90/cancel`) {
        stand.cancelled.push('90');
        json(response, 202, {});
      } else if (pathname === `${path}/runs/90/jobs`) {
        const conclusion = stand.looks > 0 ? null : stand.end === 'good' ? 'success' : 'failure';
        const state = { status: stand.looks > 0 ? 'in_progress' : 'completed', conclusion };
        json(response, 200, { jobs: [{ name: 'PLAY', html_url: 'https://job', ...state }] });
      } else {
        assert.equal(pathname, `${path}/runs/90`);
        stand.looks -= 1;
        const conclusion = stand.end === 'good' ? 'success' : 'failure';
        json(response, 200, {
          html_url: 'https://github.com/acme/infra/actions/runs/90',
          ...(stand.looks > 0
            ? { status: 'in_progress', conclusion: null }
            : { status: 'completed', conclusion }),
        });
      }
    },
  };
  return stand;
}

const FREE = { take: async () => ({ sent() {}, failed() {} }) };

const ACTIONS = {
  secret: 'the-secret',
  kind: ({ clock, url }: { clock: Clock; url: string }) =>
    createWorkflowStep({ github: connect(url).github, budget: FREE, clock }),
  bad: /^workflow run 90 ended with failure: PLAY \(failure\)$/,
};

const SYSTEMS = [
  {
    name: 'AWX',
    stand: awxStand,
    secret: 'the-secret',
    yaml: (url: string) =>
      `awx: { server: '${url}/', template: 42, extra-vars: { sha: '\${{ run.sha }}' }, secret: TOKEN }`,
    kind: createAwxStep,
    bad: /^AWX job 7 is failed$/,
  },
  {
    name: 'Jenkins',
    stand: jenkinsStand,
    secret: 'bot:the-secret',
    yaml: (url: string) =>
      `jenkins: { server: '${url}', job: deploy/shop, parameters: { SHA: '\${{ run.sha }}' }, secret: TOKEN }`,
    kind: createJenkinsStep,
    bad: /^Jenkins build 12 is FAILURE$/,
  },
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

for (const system of SYSTEMS) {
  describe(system.name, () => {
    async function setUp(t: TestContext) {
      const stand = system.stand();
      const server = createServer((request, response) => {
        const chunks: Buffer[] = [];
        request.on('data', (chunk: Buffer) => chunks.push(chunk));
        request.on('end', () => stand.answer(request, Buffer.concat(chunks).toString(), response));
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      t.after(() => server.close());
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      const text = `name: x\nrepository: a/b\non: { push: {} }\nsecrets: [TOKEN]\nsteps:\n  - ${system.yaml(url)}\n`;
      const { specs, problems } = parseSpecs('x.yaml', text);
      assert.deepEqual(problems, []);
      const step = specs[0]?.spec.steps[0];
      assert.ok(step);
      const clock: Clock = { now: () => 0, elapsed: () => 0, sleep: async () => {} };
      const ask = createAsk({ targets: createTargets(['127.0.0.0/8']), fetch });
      const kind = system.kind({ ask, clock, url }) as StepKind<StepSpec>;
      const disk: { kept?: string } = {};
      const lines: string[] = [];
      return {
        stand,
        disk,
        lines,
        /** `dieAt`: at which keeping the process dies, before it has kept anything or after. */
        run: async (
          options: { dieAt?: number; keptFirst?: boolean; signal?: AbortSignal } = {},
        ): Promise<StepResult> => {
          let count = 0;
          return await kind({
            step,
            directory: '/',
            scratch: '/',
            env: {},
            values: { run: { sha: 'abc' } },
            secrets: { TOKEN: system.secret },
            kept: disk.kept,
            async keep(kept) {
              count += 1;
              if (count !== options.dieAt || options.keptFirst === true) disk.kept = kept;
              if (count === options.dieAt) throw new Error('the process has died');
            },
            log: (_stream, line) => lines.push(line),
            signal: options.signal ?? new AbortController().signal,
            timeoutMs: 60_000,
          });
        },
      };
    }

    test('is started once and waited for, and its output is in the log', async (t) => {
      const { stand, run, lines } = await setUp(t);
      assert.equal((await run()).outcome, 'succeeded');
      assert.equal(stand.starts.length, 1);
      assert.equal(lines.filter((line) => line.includes('PLAY')).length > 0, true);
    });

    test('a work that fails fails the step', async (t) => {
      const { stand, run } = await setUp(t);
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
    ] as const) {
      test(`a process that dies at keeping number ${dieAt}, ${keptFirst ? 'after' : 'before'} the disk has it, starts nothing twice`, async (t) => {
        const { stand, run } = await setUp(t);
        await run({ dieAt, keptFirst });
        assert.equal((await run()).outcome, 'succeeded');
        assert.equal(stand.starts.length, 1);
      });
    }

    test('a cancelled step cancels it, a controller that stops leaves it going', async (t) => {
      for (const [why, cancelled] of [
        [{ kind: 'interrupt' }, 0],
        [{ kind: 'cancel', reason: 'x' }, 1],
      ] as const) {
        const { stand, run, disk } = await setUp(t);
        stand.looks = Infinity;
        const stop = new AbortController();
        const running = run({ signal: stop.signal });
        while (disk.kept?.includes('"work"') !== true) await new Promise(setImmediate);
        stop.abort(why);
        assert.equal((await running).outcome, 'cancelled');
        assert.equal(stand.cancelled.length, cancelled);
      }
    });
  });
}

test('a workflow that is not passed an id is not started again when it is not known whether it was', async () => {
  // GitHub is not even asked.
  const github = { octokit: () => Promise.reject(new Error('asked')), forget() {} };
  const clock: Clock = { now: () => 0, elapsed: () => 0, sleep: async () => {} };
  const text = `name: x\nrepository: a/b\non: { push: {} }\nsteps:\n  - workflow: { repository: a/b, workflow: x.yml }\n`;
  const step = parseSpecs('x.yaml', text).specs[0]?.spec.steps[0];
  assert.ok(step?.kind === 'workflow');
  const result = await createWorkflowStep({ github, budget: FREE, clock })({
    step,
    directory: '/',
    scratch: '/',
    env: {},
    values: {},
    secrets: {},
    kept: JSON.stringify({ id: 'mainsheet-1' }),
    keep: async () => {},
    log() {},
    signal: new AbortController().signal,
    timeoutMs: 60_000,
  });
  assert.ok(result.outcome === 'failed');
  assert.match(result.reason, /restarted before it knew which run of a\/b was started .*id-input/);
});
