import assert from 'node:assert/strict';
import { test } from 'node:test';
import { atAGlanceOperations } from '../../src/http/api/at-a-glance.ts';
import type { Viewer } from '../../src/http/auth/viewer.ts';
import { createCommits } from '../../src/http/read/commits.ts';
import { createRecentRuns } from '../../src/http/read/recent-runs.ts';
import type { Run } from '../../src/model/run.ts';
import { parseSpecs } from '../../src/spec/load.ts';
import { sampleDelivery, sampleRun } from '../store/samples.ts';
import { asAdmin } from '../support/admin.ts';
import { NOW, startHttp, type Fixture } from './fixture.ts';
import { logIn } from './pages/browser.ts';

const SECRET = 'skunkworks';

/** May see `acme/storefront` only. */
const READER: Viewer = {
  actor: 'reader',
  person: { administrator: 'reader' },
  visible: ['acme/storefront'],
  canSee: (repository) => repository === 'acme/storefront',
  canDo: () => false,
};

const specOf = (name: string, repository: string) =>
  `name: ${name}\nrepository: ${repository}\nenvironment: production\non: { push: { branches: [main] } }\nsteps:\n  - run: make\n`;

/** One spec that runs after a rollback, one that waits for approval, and one that never ran. */
async function fill({ store, specs }: Fixture): Promise<void> {
  specs.specs = parseSpecs(
    'all.yaml',
    [
      specOf('storefront', 'acme/storefront'),
      specOf(SECRET, `acme/${SECRET}`),
      specOf('docs', 'acme/docs'),
    ].join('---\n'),
  ).specs;
  specs.problems = [{ file: `${SECRET}.yaml`, line: 3, column: 1, message: 'no "stpes"' }];
  const sha = 'a'.repeat(40);
  const head = { id: sha, message: 'Mend the cart\n\nmore', author: { username: 'ines' } };
  await store.accept({ ...sampleDelivery('d1'), payload: JSON.stringify({ head_commit: head }) });
  const own = { spec: 'storefront', lane: 'storefront-production', sha, delivery: 'd1' };
  const back = await store.runs.insert(
    sampleRun('back', {
      ...own,
      cause: 'rollback',
      state: 'succeeded',
      startedAt: 1,
      finishedAt: 9,
    }),
    ['make'],
  );
  assert.ok(back);
  await store.environments.record(back, 9);
  await store.audit.record({
    at: 1,
    actor: 'samir',
    action: 'run.rollback',
    subject: 'bad',
    detail: 'made run back: Rollback to aaaaaaa: the cart is empty (run r0)',
  });
  await store.runs.insert(sampleRun('now', { ...own, state: 'running', startedAt: NOW - 5000 }), [
    'make',
  ]);
  await store.runs.insert(
    sampleRun('waits', {
      spec: SECRET,
      repository: `acme/${SECRET}`,
      lane: `${SECRET}-production`,
      state: 'blocked',
      reason: 'Waits for approval',
    }),
    ['make'],
  );
  const callback = {
    kind: 'status',
    repository: `acme/${SECRET}`,
    sha,
    context: 'c',
    state: 'success',
    description: '',
    targetUrl: undefined,
  } as const;
  await store.outbox.add('waits', [{ target: 't', callback }], 1);
  const [entry] = await store.outbox.ofRun('waits');
  await store.outbox.finish(entry?.id ?? 0, 'dead', 2, 'GitHub answered 403');
  await store.pauses.add({ kind: 'spec', name: SECRET, since: 1, by: 'ines', reason: 'Count' });
}

const closedGate = {
  gate: { kind: 'approve', from: [], count: 1, notAuthor: false, timeoutMs: undefined },
  isOpen: false,
  detail: 'Waits for 1 approval',
  answers: [],
} as never;

test('the overview tells what is deployed, what runs, what is blocked by which gate, and what went wrong', async (t) => {
  const fixture = await startHttp(t, {
    gates: { view: async () => [closedGate, { ...(closedGate as object), isOpen: true } as never] },
  });
  await fill(fixture);
  const answer = await asAdmin(`${fixture.url}/api/v1/overview`);
  assert.equal(answer.status, 200);
  const overview = (await answer.json()) as Record<string, unknown[]>;
  assert.partialDeepStrictEqual(overview, {
    at: new Date(NOW).toISOString(),
    running: [{ run: 'now', title: 'Mend the cart', author: 'ines', elapsedMs: 5000, steps: 1 }],
    blocked: [{ run: 'waits', reason: 'Waits for approval' }],
    pauses: [{ name: SECRET, by: 'ines', reason: 'Count' }],
    rolledBack: [
      {
        spec: 'storefront',
        by: 'samir',
        reason: 'the cart is empty',
      },
    ],
    dead: [{ error: 'GitHub answered 403' }],
    problems: [{ file: `${SECRET}.yaml`, line: 3 }],
  });
  assert.partialDeepStrictEqual(overview['places'], [
    {
      spec: 'storefront',
      state: 'running',
      deployed: { run: 'back', title: 'Mend the cart', author: 'ines', cause: 'rollback' },
      active: [{ id: 'now' }],
    },
    { spec: SECRET, state: 'blocked', paused: { by: 'ines' }, deployed: null },
    { spec: 'docs', state: 'none', last: null },
  ]);
  const [{ gates }] = overview['blocked'] as [{ gates: unknown[] }];
  assert.partialDeepStrictEqual(gates, [{ kind: 'approve', detail: 'Waits for 1 approval' }]);
  assert.equal(gates.length, 1);
});

test('to a reader the overview tells nothing of a repository that they may not see', async (t) => {
  const fixture = await startHttp(t);
  await fill(fixture);
  const { deps, store } = fixture;
  // The spec was another repository's when it last deployed.
  const before = { spec: 'storefront', lane: 'storefront-production', state: 'succeeded' } as const;
  const moved = await store.runs.insert(
    sampleRun('its-old', { ...before, repository: `acme/${SECRET}`, ref: SECRET, sha: 'c0ffee' }),
    ['make'],
  );
  assert.ok(moved);
  await store.environments.record(moved, 10);
  const [operation] = atAGlanceOperations({
    ...deps,
    commits: createCommits(store),
    recentRuns: createRecentRuns(deps),
  });
  const answer = await operation?.serve({ viewer: READER } as never);
  assert.doesNotMatch(JSON.stringify(answer), new RegExp(`${SECRET}|its-old|c0ffee`));
  assert.match(JSON.stringify(answer), /storefront/);
});

test('what runs and what is blocked is told behind any number of newer runs, and of pull requests', async (t) => {
  const fixture = await startHttp(t, { gates: { view: async () => [] } });
  const { store, specs, url } = fixture;
  specs.specs = parseSpecs(
    'all.yaml',
    `${specOf('storefront', 'acme/storefront')}---\nname: preview\nrepository: acme/storefront\non: { pull_request: {} }\nsteps: [{ run: make }]\nteardown: [{ run: rm }]\n`,
  ).specs;
  const lane = 'storefront-production';
  const add = async (id: string, more: Partial<Run>) =>
    await store.runs.insert(sampleRun(id, { lane, ...more }), ['make']);
  await add('runs', { state: 'running', startedAt: 1 });
  for (let number = 1; number <= 12; number += 1) {
    await add(`gone${number}`, { state: 'superseded', finishedAt: 2 });
  }
  for (let number = 1; number <= 52; number += 1) await add(`waits${number}`, {});
  const preview = { spec: 'preview', environment: 'pr-1' };
  await add('pull1', { ...preview, lane: 'preview-pr-1', state: 'running', startedAt: 1 });
  await add('pull2', { ...preview, lane: 'preview-pr-2', state: 'blocked', reason: 'Waiting' });

  const { places, ...overview } = (await (await asAdmin(`${url}/api/v1/overview`)).json()) as {
    places: { state: string; active: { id: string }[]; moreActive: boolean }[];
    running: { run: string }[];
    blocked: { run: string }[];
  };
  assert.deepEqual(
    overview.running.map(({ run }) => run),
    ['pull1', 'runs'],
  );
  assert.deepEqual(
    overview.blocked.map(({ run }) => run),
    ['pull2'],
  );
  assert.deepEqual(
    places.map(({ state, active, moreActive }) => [state, active.length, moreActive]),
    [
      ['running', 51, true],
      ['running', 2, false],
    ],
  );
  const text = await (await fetch(url, { headers: { Cookie: await logIn(url) } })).text();
  assert.match(text, /id="running-pull1".*id="running-runs".*50 or more queued/s);
});
