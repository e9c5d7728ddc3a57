import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { callbacksFor, isObsolete, kindOf } from '../../src/callbacks/index.ts';
import { createSender } from '../../src/callbacks/send.ts';
import { RetryableError, TerminalError } from '../../src/lib/errors.ts';
import type { GitServer, ServerType } from '../../src/lib/servers.ts';
import type { Run, RunState } from '../../src/model/run.ts';
import { startStandIn, type Reply } from '../github/stand-in.ts';
import { connect, createTestClock, failureOf } from '../github/support.ts';
import { sampleRun } from '../store/samples.ts';

const SHA = 'a'.repeat(40);
const TOKEN = 'the-token';

const SPEC = {
  feedback: ['status', 'deployment', 'check'] as const,
  notify: [],
  gates: [],
  productionEnvironment: false,
  transientEnvironment: false,
};

function runOf(state: RunState, more: Partial<Run> = {}): Run {
  return {
    ...sampleRun('r1', {
      state,
      spec: 'shop',
      sha: SHA,
      repository: 'work:acme/web/shop',
      ...more,
    }),
    sequence: 1,
  };
}

function dueOf(run: Run, server: ServerType | undefined, publicUrl?: string) {
  const previous = run.state === 'queued' ? undefined : 'queued';
  return callbacksFor({ run, spec: SPEC, previous, wasDeployed: false, publicUrl, server });
}

/** Renders and sends what is due, and answers what the server was asked. */
async function send(
  t: TestContext,
  type: ServerType,
  options: { run?: Run; reply?: Reply; publicUrl?: string; retried?: boolean } = {},
) {
  const standIn = await startStandIn(t, () => options.reply ?? { status: 201 }, {
    validate: false,
  });
  const server: GitServer = { name: 'work', type, url: standIn.url, token: TOKEN };
  const { github } = connect('http://127.0.0.1:1', { auth: undefined });
  const [callback] = dueOf(options.run ?? runOf('running'), type, options.publicUrl);
  assert.ok(callback);
  const message = await kindOf(callback).render(
    callback,
    {} as never,
    { servers: new Map([['work', server]]) } as never,
  );
  const sender = createSender({ github, clock: createTestClock() });
  const { retried = false } = options;
  const signal = new AbortController().signal;
  return { asked: standIn.requests, sent: sender.send(message, { retried, ageMs: 0, signal }) };
}

const EXPECTED: Record<ServerType, { path: string; authorization: string; body: object }> = {
  // https://docs.gitlab.com/api/commits/#set-commit-pipeline-status
  gitlab: {
    path: `/api/v4/projects/acme%2Fweb%2Fshop/statuses/${SHA}`,
    authorization: `Bearer ${TOKEN}`,
    body: {
      state: 'running',
      name: 'mainsheet/shop',
      description: 'Deploying to production',
      target_url: 'https://mainsheet.example/runs/r1',
    },
  },
  // https://developer.atlassian.com/cloud/bitbucket/rest/api-group-commit-statuses/
  bitbucket: {
    path: `/2.0/repositories/acme/web/shop/commit/${SHA}/statuses/build`,
    authorization: `Bearer ${TOKEN}`,
    body: {
      key: 'mainsheet/shop',
      name: 'mainsheet/shop',
      state: 'INPROGRESS',
      description: 'Deploying to production',
      url: 'https://mainsheet.example/runs/r1',
    },
  },
  // https://docs.gitea.com/api/#tag/repository/operation/repoCreateStatus
  gitea: {
    path: `/api/v1/repos/acme/web/shop/statuses/${SHA}`,
    authorization: `token ${TOKEN}`,
    body: {
      context: 'mainsheet/shop',
      state: 'pending',
      description: 'Deploying to production',
      target_url: 'https://mainsheet.example/runs/r1',
    },
  },
};

for (const [type, { path, authorization, body }] of Object.entries(EXPECTED)) {
  test(`${type}: a status is posted as its documentation says, with the server's token`, async (t) => {
    const { asked, sent } = await send(t, type as ServerType, {
      publicUrl: 'https://mainsheet.example',
    });
    await sent;
    const [request, ...others] = asked;
    assert.deepEqual(others, []);
    assert.deepEqual(
      [request?.method, request?.path, request?.headers['authorization'], request?.body],
      ['POST', path, authorization, body],
    );
  });
}

test('each state of a run has its word on each server', async (t) => {
  const words: Record<ServerType, string[]> = {
    gitlab: ['pending', 'pending', 'running', 'success', 'failed', 'canceled', 'canceled'],
    bitbucket: [
      'INPROGRESS',
      'INPROGRESS',
      'INPROGRESS',
      'SUCCESSFUL',
      'FAILED',
      'STOPPED',
      'STOPPED',
    ],
    gitea: ['pending', 'pending', 'pending', 'success', 'failure', 'error', 'error'],
  };
  const states = ['queued', 'blocked', 'running', 'succeeded', 'failed', 'cancelled', 'superseded'];
  for (const type of ['gitlab', 'bitbucket', 'gitea'] as const) {
    const told = [];
    for (const state of states as RunState[]) {
      const { asked, sent } = await send(t, type, { run: runOf(state) });
      await sent;
      const body = asked[0]?.body as { state: string } | undefined;
      told.push(body?.state);
    }
    assert.deepEqual(told, words[type]);
  }
});

test('GitLab says that a commit has a state already by refusing it: then it is told', async (t) => {
  const message = 'Cannot transition status via :enqueue from :pending (Reason(s): …)';
  const refused = await send(t, 'gitlab', { reply: { status: 400, body: { message } } });
  await refused.sent;
  const other = await send(t, 'gitlab', { reply: { status: 400, body: { message: 'no ref' } } });
  assert.ok((await failureOf(other.sent)) instanceof TerminalError);
  const bitbucket = await send(t, 'bitbucket', { reply: { status: 400, body: { message } } });
  assert.ok((await failureOf(bitbucket.sent)) instanceof TerminalError);
});

test('a server that asks for patience gets it, and one that does not know a commit is asked once more', async (t) => {
  const busy = await send(t, 'gitea', { reply: { status: 429, headers: { 'retry-after': '17' } } });
  const failure = await failureOf(busy.sent);
  assert.ok(failure instanceof RetryableError);
  assert.equal(failure.retryAfterMs, 17_000);
  const early = await send(t, 'gitea', { reply: { status: 404 } });
  assert.ok((await failureOf(early.sent)) instanceof RetryableError);
  const late = await send(t, 'gitea', { reply: { status: 404 }, retried: true });
  assert.ok((await failureOf(late.sent)) instanceof TerminalError);
  const refused = await failureOf((await send(t, 'gitea', { reply: { status: 401 } })).sent);
  assert.ok(refused instanceof RetryableError);
  assert.doesNotMatch(JSON.stringify(refused) + String(refused), new RegExp(TOKEN));
});

test('a redirect is not followed: the token stays with the server that it is for', async (t) => {
  const other = await startStandIn(t, () => ({ status: 201 }), { validate: false });
  const reply = { status: 307, headers: { location: `${other.url}/x` } };
  const { sent } = await send(t, 'gitlab', { reply });
  assert.ok((await failureOf(sent)) instanceof TerminalError);
  assert.deepEqual(other.requests, []);
});

test('without a public URL the link is the commit, which Bitbucket wants; a long name is cut and stays unique', async (t) => {
  const spec = 'a'.repeat(60);
  const keys = [];
  for (const one of [`${spec}1`, `${spec}2`]) {
    const { asked, sent } = await send(t, 'bitbucket', { run: runOf('running', { spec: one }) });
    await sent;
    const body = asked[0]?.body as { key: string; url: string } | undefined;
    assert.ok(body !== undefined && body.key.length <= 40);
    assert.match(body.url, new RegExp(`/acme/web/shop/commits/${SHA}$`));
    keys.push(body.key);
  }
  assert.notEqual(keys[0], keys[1]);
});

test('GitHub hears nothing of a run on another server, nor the other way round', () => {
  const kinds = (run: Run, server?: ServerType) => dueOf(run, server).map(({ kind }) => kind);
  assert.deepEqual(kinds(runOf('queued'), 'gitlab'), ['gitlab-status']);
  // No token, or the server is not set any more.
  assert.deepEqual(kinds(runOf('queued')), []);
  const atGitHub = runOf('queued', { repository: 'acme/shop' });
  assert.deepEqual(kinds(atGitHub), ['status', 'deployment', 'check']);
});

test('a later status of a commit makes an earlier one pointless, and that of another server does not', () => {
  const [early] = dueOf(runOf('queued'), 'gitea');
  const [late] = dueOf(runOf('succeeded'), 'gitea');
  const [other] = dueOf(runOf('succeeded', { repository: 'other:acme/web/shop' }), 'gitea');
  assert.ok(early && late && other);
  assert.equal(isObsolete(early, late), true);
  assert.equal(isObsolete(early, other), false);
});
