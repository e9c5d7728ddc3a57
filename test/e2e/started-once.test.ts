import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, request as ask } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { after, test } from 'node:test';
import { actionsStand, awxStand, jenkinsStand, type Stand } from '../steps/stands.ts';
import { asAdmin } from '../support/admin.ts';
import { until } from '../support/until.ts';
import { createWorld, SITE } from '../support/world.ts';

const closing: (() => Promise<void> | void)[] = [];
after(async () => {
  for (const close of closing.toReversed()) await close();
});

/** The stand over HTTP. What starts work is done and not answered; what is not the stand's goes on to `others`. */
async function listen(stand: Stand, own = '/', others = (): string => ''): Promise<string> {
  const server = createServer((request, response) => {
    if (!request.url?.startsWith(own)) {
      const { method, headers } = request;
      const on = ask(new URL(request.url ?? '', others()), { method, headers }, (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response);
      });
      request.pipe(on);
      return;
    }
    void buffer(request).then((body) => {
      const before = stand.starts.length;
      const { writeHead, end } = response;
      const isStart = () => stand.starts.length > before;
      response.writeHead = (...args: never[]) =>
        isStart() ? response : Reflect.apply(writeHead, response, args);
      response.end = (...args: never[]) =>
        isStart() ? response : Reflect.apply(end, response, args);
      stand.answer(request, body.toString(), response);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** What waits for five seconds or fifteen, as between two looks at what another system does, waits a twentieth of it. */
const HASTE =
  'data:text/javascript,' +
  'const{setTimeout:wait}=globalThis;' +
  'globalThis.setTimeout=(act,ms,...more)=>wait(act,ms===5e3||ms===15e3?ms/20:ms,...more)';

const spec = (name: string, step: string) => `
name: ${name}
repository: ${SITE}
environment: ${name}
on: { push: { branches: [main] } }
secrets: [AWX, JENKINS]
steps: [{ ${step} }]
`;

/** The keys of the requests that change something, by path; how each is answered is up to the test. */
async function requests() {
  const keys: Record<string, string[]> = {};
  let answered = (_path: string, _count: number): unknown => undefined;
  const server = createServer((request, response) => {
    const { method = '', url: path = '', headers } = request;
    const own = (keys[path] ??= []);
    if (method === 'POST') own.push(String(headers['idempotency-key']));
    const body = answered(path, own.length);
    // Without an answer the connection stays open.
    if (body === undefined) return;
    response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(() => {
    server.close();
    server.closeAllConnections();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url, keys, answer: (how: typeof answered) => (answered = how) };
}

test('what was asked to start as the controller was killed has started once, and killed again while it runs; its log holds each line once', async () => {
  let [forge, token] = ['', ''];
  const stands = {
    awx: awxStand(),
    jenkins: jenkinsStand(),
    workflow: actionsStand(true, () => token),
  };
  const [awx, jenkins] = [await listen(stands.awx), await listen(stands.jenkins)];

  const http = await requests();
  http.answer((path, count) =>
    path === '/begun' ? { at: '/begun/5' } : path === '/begun/5' || count === 1 ? {} : undefined,
  );
  const begin = (name: string, until: string, more = '') =>
    spec(
      name,
      `http: { url: '${http.url}/${name}', method: POST, until: { expression: response.body.done, every: 1s, ${until} } }`,
    ) + more;

  const github = await listen(stands.workflow, '/repos/acme/infra/', () => forge);
  const world = await createWorld({
    specs: {
      'awx.yaml': spec(
        'awx',
        `awx: { server: '${awx}', template: 42, extra-vars: { sha: abc }, secret: AWX }`,
      ),
      'jenkins.yaml': spec(
        'jenkins',
        `jenkins: { server: '${jenkins}', job: deploy/shop, parameters: { SHA: abc }, secret: JENKINS }`,
      ),
      'workflow.yaml': spec(
        'workflow',
        'workflow: { repository: acme/infra, workflow: apply.yml, inputs: { sha: abc }, id-input: id }',
      ),
      'begun.yaml': begin('begun', 'url: response.body.at'),
      'repeated.yaml': begin('repeated', ''),
      'careful.yaml': begin('careful', '', 'on-interrupt: fail'),
    },
    env: {
      GITHUB_API_URL: github,
      NODE_OPTIONS: `--import=${HASTE}`,
      MAINSHEET_CONCURRENCY: '6',
      MAINSHEET_STEP_TARGETS: '127.0.0.0/8',
      MAINSHEET_SECRET_AWX: 'the-secret',
      MAINSHEET_SECRET_JENKINS: 'bot:the-secret',
    },
  });
  closing.push(() => world.close());
  ({ url: forge, token } = world.forge);

  const sha = await world.sample.commit({ message: 'once' });
  await world.sample.push('main');
  await until(
    'all were started',
    () =>
      Object.values(stands).every(({ starts }) => starts.length === 1) &&
      http.keys['/begun/5'] !== undefined &&
      ['/repeated', '/careful'].every((path) => http.keys[path]?.length === 2),
  );
  stands.awx.isHeld = stands.jenkins.isHeld = true;
  await world.controller.kill();
  http.answer(() => ({ done: true }));
  await world.controller.restart();
  const logOf = async (name: string): Promise<string> => {
    const run = (await world.runs(`&sha=${sha}`)).find(({ spec }) => spec === name);
    const response = await asAdmin(`${world.controller.url}/api/v1/runs/${run?.id}/log`);
    return await response.text();
  };
  await until('the logs have the first lines', async () => {
    const logs = [await logOf('awx'), await logOf('jenkins')];
    return logs.every((log) => log.includes('TASK ['));
  });
  await world.controller.kill();
  stands.awx.isHeld = stands.jenkins.isHeld = false;
  await world.controller.restart();
  const runs = await until(
    'all have ended',
    async () => {
      const found = await world.runs(`&sha=${sha}`);
      return found.every(({ state }) => /succeeded|failed/.test(state)) && found;
    },
    120_000,
  );
  assert.deepEqual(Object.fromEntries(runs.map((run) => [run.spec, run.state])), {
    awx: 'succeeded',
    jenkins: 'succeeded',
    workflow: 'succeeded',
    begun: 'succeeded',
    repeated: 'succeeded',
    careful: 'failed',
  });
  const keys = Object.entries(http.keys).map(([path, own]) => {
    const [first = ''] = own;
    return [path, own.map((key) => key.replace(first, 'key'))];
  });
  assert.deepEqual(Object.fromEntries(keys), {
    '/begun': ['key'],
    '/begun/5': [],
    '/repeated': ['key', 'key-2', 'key-2'],
    '/careful': ['key', 'key-2'],
  });
  assert.deepEqual(
    Object.values(stands).map(({ starts }) => starts.length),
    [1, 1, 1],
  );
  for (const name of ['awx', 'jenkins']) {
    const lines = (await logOf(name)).split('\n').filter((line) => /PLAY|TASK|\]$/.test(line));
    // What Mainsheet says of the restart may stand within a line.
    assert.equal(
      lines.join(' ').replace('[ ***', '[***'),
      'PLAY [all] TASK [***] PLAY RECAP',
      name,
    );
  }
});
