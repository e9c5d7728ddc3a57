import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, request as ask } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { actionsStand, awxStand, jenkinsStand, type Stand } from '../steps/stands.ts';
import { asAdmin } from '../support/admin.ts';
import { startLibrary } from '../steps/ssh-servers.ts';
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
secrets: [AWX, JENKINS, KEY]
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

test('what was asked to start as the controller was killed has started once, and killed again while it runs; its log holds each line once', async (t) => {
  let [forge, token] = ['', ''];
  const stands = {
    awx: awxStand(),
    jenkins: jenkinsStand(),
    workflow: actionsStand(true, () => token),
  };
  const [awx, jenkins] = [await listen(stands.awx), await listen(stands.jenkins)];

  const http = await requests();
  http.answer((path, count) =>
    path === '/begun'
      ? { at: '/begun/5' }
      : path === '/begun/5' || (count === 1 && path !== '/lost')
        ? {}
        : undefined,
  );
  const begin = (name: string, until: string, more = '') =>
    spec(
      name,
      `http: { url: '${http.url}/${name}', method: POST, until: { expression: response.body.done, every: 1s, ${until} } }`,
    ) + more;

  const machine = await startLibrary(t);
  const gate = join(machine.state, '../../..');
  const script =
    'echo begun >>$GATE/starts; i=0; until [ -e $GATE/open ]; do i=$((i + 1)); echo "line $i"; echo "error $i" >&2; sleep 0.02; done; echo "line $((i + 1))"';
  const ssh = JSON.stringify({
    host: '127.0.0.1',
    port: machine.port,
    user: machine.user,
    key: 'KEY',
    'host-key': machine.hostKeys.ed25519,
    run: script,
  });

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
      'ssh.yaml': spec('ssh', `ssh: ${ssh}, env: { GATE: '${gate}' }`) + 'on-interrupt: fail\n',
      'careful.yaml': begin('careful', '', 'on-interrupt: fail'),
      'lost.yaml':
        spec('lost', `http: { url: '${http.url}/lost', method: POST }`) + 'on-interrupt: fail\n',
    },
    env: {
      GITHUB_API_URL: github,
      NODE_OPTIONS: `--import=${HASTE}`,
      MAINSHEET_CONCURRENCY: '8',
      MAINSHEET_STEP_TARGETS: '127.0.0.0/8',
      MAINSHEET_SECRET_KEY: machine.privateKey,
      MAINSHEET_SECRET_AWX: 'the-secret',
      MAINSHEET_SECRET_JENKINS: 'bot:the-secret',
    },
  });
  closing.push(() => world.close());
  ({ url: forge, token } = world.forge);

  const sha = await world.sample.commit({ message: 'once' });
  await world.sample.push('main');
  const logOf = async (name: string): Promise<string> => {
    const run = (await world.runs(`&sha=${sha}`)).find(({ spec }) => spec === name);
    const response = await asAdmin(`${world.controller.url}/api/v1/runs/${run?.id}/log`);
    return await response.text();
  };
  const linesOf = async (word: string) =>
    [...(await logOf('ssh')).matchAll(new RegExp(`${word} (\\d+)`, 'g'))].map(([, n]) => Number(n));
  await until(
    'all were started',
    async () =>
      (await linesOf('line')).length > 2 &&
      Object.values(stands).every(({ starts }) => starts.length === 1) &&
      http.keys['/begun/5'] !== undefined &&
      http.keys['/lost'] !== undefined &&
      ['/repeated', '/careful'].every((path) => http.keys[path]?.length === 2),
  );
  stands.awx.isHeld = stands.jenkins.isHeld = true;
  await world.controller.kill();
  http.answer(() => ({ done: true }));
  await world.controller.restart();
  const before = (await linesOf('line')).length;
  await until('the logs have the first lines', async () => {
    const logs = [await logOf('awx'), await logOf('jenkins')];
    return logs.every((log) => log.includes('TASK [')) && (await linesOf('line')).length > before;
  });
  await world.controller.kill();
  stands.awx.isHeld = stands.jenkins.isHeld = false;
  await writeFile(join(gate, 'open'), '');
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
    ssh: 'succeeded',
    begun: 'succeeded',
    repeated: 'succeeded',
    careful: 'failed',
    lost: 'failed',
  });
  const lost = runs.find(({ spec }) => spec === 'lost');
  await asAdmin(`${world.controller.url}/api/v1/runs/${lost?.id}/retry`, { method: 'POST' });
  await until('it was sent again', () => http.keys['/lost']?.length === 2);
  const keys = Object.entries(http.keys).map(([path, own]) => {
    const [first = ''] = own;
    return [path, own.map((key) => key.replace(first, 'key'))];
  });
  assert.deepEqual(Object.fromEntries(keys), {
    '/begun': ['key'],
    '/begun/5': [],
    '/repeated': ['key', 'key-2', 'key-2'],
    '/careful': ['key', 'key-2'],
    '/lost': ['key', 'key'],
  });
  assert.deepEqual(
    Object.values(stands).map(({ starts }) => starts.length),
    [1, 1, 1],
  );
  assert.equal(await readFile(join(gate, 'starts'), 'utf8'), 'begun\n');
  const own = runs.find(({ spec }) => spec === 'ssh');
  const live = await asAdmin(`${world.controller.url}/api/v1/runs/${own?.id}/log`, {
    headers: { accept: 'text/event-stream' },
  });
  const pieces = (await live.text())
    .split('\n')
    .filter((line) => line.startsWith('data: {"seq"'))
    .map((line) => JSON.parse(line.slice(6)) as { stream: string; text: string });
  for (const [stream, word] of [
    ['stdout', 'line'],
    ['stderr', 'error'],
  ]) {
    const whole = pieces.filter((piece) => piece.stream === stream).map(({ text }) => text);
    // What Mainsheet says of the restart may stand within a line.
    const said = 'Going on with what was started before\n';
    const lines = whole.join('').replaceAll(said, '').split('\n');
    const numbered = lines.filter((line) => line.startsWith(`${word} `));
    assert.ok(numbered.length > before);
    assert.deepEqual(
      numbered,
      numbered.map((_, index) => `${word} ${index + 1}`),
    );
  }
  for (const name of ['awx', 'jenkins']) {
    const lines = (await logOf(name)).split('\n').filter((line) => /PLAY|TASK|\]$/.test(line));
    // As above.
    assert.equal(
      lines.join(' ').replace('[ ***', '[***'),
      'PLAY [all] TASK [***] PLAY RECAP',
      name,
    );
  }
});
