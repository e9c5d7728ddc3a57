import assert from 'node:assert/strict';
import { test } from 'node:test';
import Koa from 'koa';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:http';
import { createTryEvent } from '../../../src/controller/operator/try-event.ts';
import { createRunBacktest } from '../../../src/http/read/backtest-turn.ts';
import { createAsk } from '../../../src/controller/operator/ask.ts';
import { createAuth } from '../../../src/http/auth/index.ts';
import { createDashboard } from '../../../src/http/pages/index.ts';
import { createTryHook } from '../../../src/controller/hooks/try-out.ts';
import { createAskCostly } from '../../../src/http/questions.ts';
import { createHookRefusals } from '../../../src/http/hook-refusals.ts';
import { createCommits } from '../../../src/http/read/commits.ts';
import { createReadInsights } from '../../../src/http/read/insights.ts';
import { createRecentRuns } from '../../../src/http/read/recent-runs.ts';
import type { Viewer } from '../../../src/http/auth/viewer.ts';
import { parseSpecs } from '../../../src/spec/load.ts';
import { sampleDelivery, samplePreview, sampleRun } from '../../store/samples.ts';
import { pushPayload } from '../../commands/payloads.ts';
import { startHttp } from '../fixture.ts';
import { SAME_SITE } from './browser.ts';

const SECRET = 'skunkworks';
/** A hook that was made through the API. */
const MADE = '0123456789abcdef0123456789abcdef';

const hookYaml = (id: string) =>
  `kind: hook\nid: ${id}\nsender: bearer\nsecrets: [TOKEN]\nextract: { a: { json: $.a } }\n`;

/** A user who may look at `acme/storefront` and do nothing. */
const READER: Viewer = {
  actor: 'github:reader',
  person: { login: 'reader' },
  visible: ['acme/storefront'],
  canSee: (repository) => repository?.toLowerCase() === 'acme/storefront',
  canDo: () => false,
};

test('what users may not see does not exist on any page, and what they may not do is refused', async (t) => {
  const { hooks } = parseSpecs('hooks.yaml', `${hookYaml('open')}---\n${hookYaml(SECRET)}`);
  const fixture = await startHttp(t, {
    hooks: hooks.map(({ hook }) => hook),
    hookSecrets: { TOKEN: 'token' },
  });
  const { store, specs, asked } = fixture;
  const yaml = (name: string, repository: string) =>
    `name: ${name}\nrepository: ${repository}\nenvironment: ${name}-env\non: { push: {} }\nsteps: [{ run: make }]\n`;
  const chained = yaml(`${SECRET}-next`, `acme/${SECRET}`).replace(
    'push: {}',
    `deployment: { spec: ${SECRET} }, schedule: { cron: "0 6 * * *" }`,
  );
  const hooked = yaml(`${SECRET}-hooked`, `acme/${SECRET}`).replace(
    'push: {}',
    `hook: [{ id: open }, { id: ${SECRET} }]`,
  );
  const shared = yaml('hooked', 'acme/storefront').replace('push: {}', 'hook: { id: open }');
  const texts = [
    yaml('storefront', 'acme/storefront'),
    yaml(SECRET, `acme/${SECRET}`),
    chained,
    hooked,
    shared,
  ];
  specs.specs = parseSpecs('all.yaml', texts.join('---\n')).specs;
  specs.problems = [{ file: `${SECRET}.yaml`, line: 1, column: 1, message: SECRET }];
  for (const [id, name] of [
    ['open', 'storefront'],
    ['closed', SECRET],
  ] as const) {
    const repository = `acme/${name}`;
    await store.accept(sampleDelivery(`d-${id}`, { repository, payload: `{"x":"${name} ${id}"}` }));
    const more = {
      spec: name,
      repository,
      lane: name,
      delivery: `d-${id}`,
      environment: `${name}-env`,
    };
    const run = await store.runs.insert(sampleRun(id, { ...more, state: 'succeeded' }), ['make']);
    if (run !== undefined) await store.environments.record(run, 1);
    await store.runs.insert(
      sampleRun(`${id}2`, { ...more, delivery: `x-${id}`, state: 'failed' }),
      ['make'],
    );
    await store.outbox.add(id, [{ target: repository, callback: { kind: 'status' } }], 1);
    await store.pauses.add({ kind: 'spec', name, since: 1, by: name, reason: name });
  }
  for (const { id } of await store.outbox.ofRun('closed'))
    await store.outbox.finish(id, 'dead', 1, SECRET);
  await store.chains.add([{ run: 'closed', spec: SECRET, dueAt: 9e12 }]);
  await store.batches.begin({ run: 'closed2', spec: SECRET, lane: 'x', key: SECRET, closesAt: 1 });
  await store.previews.note(
    samplePreview({
      spec: SECRET,
      repository: `acme/${SECRET}`,
      runId: 'closed',
      sha: SECRET,
      reason: SECRET,
    }),
  );
  await store.hooks.add({
    id: MADE,
    hook: 'open',
    owner: SECRET,
    specs: [],
    inputs: {},
    secrets: [],
    createdAt: 1,
    createdBy: SECRET,
    expiresAt: 9e12,
  });
  const event = 'hook:open';
  const seen = { repository: undefined, event, queue: event, payload: SECRET };
  await store.accept(sampleDelivery(`open.${SECRET}`, seen));
  for (const action of ['run.retry', 'delivery.replay', 'spec.pause', 'lane.pause']) {
    await store.audit.record({ at: 1, actor: 'a', action, subject: SECRET, detail: SECRET });
  }

  const { deps } = fixture;
  const auth = createAuth({
    ...deps,
    token: deps.adminToken,
    addressOf: () => '192.0.2.1',
    sessions: store.sessions,
  });
  const { pages } = createDashboard({
    ...deps,
    commits: createCommits(store),
    recentRuns: createRecentRuns(deps),
    ask: createAsk(deps),
    tryEvent: createTryEvent({ ...deps, repositories: store.repositories }),
    runBacktest: createRunBacktest(deps.backtest),
    readInsights: createReadInsights(store),
    refused: createHookRefusals(deps.clock),
    hasSecret: () => true,
    tryHook: createTryHook(deps),
    askCostly: createAskCostly(deps.clock),
    auth: { ...auth, authenticate: async () => READER },
  });
  const app = new Koa();
  app.use((ctx, next) => {
    ctx.state['stopping'] = new AbortController().signal;
    return next();
  });
  app.use(pages.routes());
  const server = createServer((request, response) => void app.callback()(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  const [dead] = await store.outbox.ofRun('closed');
  const lists = [
    '/',
    '/?q=x',
    '/runs',
    '/deliveries',
    '/specs',
    '/callbacks',
    '/insights',
    '/activity',
    '/automation',
    '/hooks',
    '/hooks/open',
    '/callbacks?state=dead',
    '/runs/open',
    '/specs/storefront',
    '/specs/storefront/history',
    '/specs/storefront/try',
    '/specs/storefront/backtest',
    '/why',
    '/why?q=open',
    '/why?q=closed',
    '/why?q=aaaaaaa',
    '/why?q=%2312',
    '/deliveries/d-open',
  ];
  for (const path of lists) {
    const answer = await fetch(url + path);
    assert.equal(answer.status, 200, path);
    const text = await answer.text();
    assert.doesNotMatch(text, new RegExp(SECRET), path);
    assert.doesNotMatch(text, /callback was given up|problems? in the specs/, path);
    if (path === '/') assert.match(text, /storefront<\/span> is paused/);
    assert.doesNotMatch(text, /\/resume"/, path);
  }
  const write = async (path: string, fields: Record<string, string>) => {
    const body = new URLSearchParams(fields).toString();
    const answer = await fetch(url + path, { method: 'POST', headers: SAME_SITE, body });
    assert.equal(answer.status, 200, path);
    return await answer.text();
  };
  // What is written there comes back, so the name may stand in it.
  const text = yaml('storefront', `acme/${SECRET}`);
  const backtest = await write('/specs/storefront/backtest', { text });
  assert.match(backtest, /there is no repository acme\/skunkworks that you may see/);
  const repository = { full_name: `acme/${SECRET}` };
  const payload = JSON.stringify({ ...pushPayload(), repository });
  const tried = await write('/specs/storefront/try', { event: 'push', payload });
  assert.doesNotMatch(tried, /specs\/skunkworks|would (?:not )?start it/);

  const closed = [
    '/runs/closed',
    '/runs/closed/log',
    '/runs/closed/log.txt',
    '/runs/closed/log/1',
    '/runs/closed/cancel',
    '/live?run=closed',
    '/deliveries/d-closed',
    `/specs/${SECRET}`,
    `/specs/${SECRET}/history`,
    `/specs/${SECRET}/try`,
    `/specs/${SECRET}/backtest`,
    `/specs/${SECRET}/pause`,
    `/lanes/${SECRET}/pause`,
    `/callbacks/${dead?.id}`,
    '/settings',
    `/hooks/${SECRET}`,
    `/hooks/${MADE}`,
  ];
  for (const path of closed) {
    const hidden = await fetch(url + path);
    assert.equal(hidden.status, 404, path);
    const unknown = await (await fetch(url + path.replace(/closed|skunkworks/, 'unknown'))).text();
    const same = (text: string) => text.replaceAll(/closed|skunkworks|unknown/g, '');
    if (/closed|skunkworks/.test(path))
      assert.equal(same(await hidden.text()), same(unknown), path);
  }

  const actions = [
    '/runs/open/cancel',
    '/runs/open/retry',
    '/runs/open/rollback',
    '/runs/open/approve',
    '/deliveries/d-open/replay',
    '/specs/storefront/pause',
    '/specs/storefront/resume',
    '/specs/storefront/deploy',
  ];
  for (const path of actions) {
    const answer = await fetch(url + path, { method: 'POST', headers: SAME_SITE, body: '' });
    assert.equal(answer.status, 403, path);
  }
  assert.deepEqual(asked, []);

  // Whether a token is right is not to be found out here.
  const answers = ['token', 'wrong'].map(async (token) => {
    const tried = await fetch(`${url}/hooks/open/try`, {
      method: 'POST',
      headers: SAME_SITE,
      body: new URLSearchParams({ body: '{"a":1}', headers: `Authorization: Bearer ${token}` }),
    });
    assert.equal(tried.status, 200);
    return (await tried.text()).replaceAll(token, '');
  });
  const [right = '', wrong] = await Promise.all(answers);
  assert.match(right, /It would start hooked/);
  assert.doesNotMatch(right, new RegExp(SECRET));
  assert.equal(right, wrong);
});
