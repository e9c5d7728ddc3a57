import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test, type TestContext } from 'node:test';
import { systemClock, type Clock } from '../../src/lib/clock.ts';
import { createFetch } from '../../src/lib/way-out.ts';
import type { HttpStepSpec } from '../../src/spec/steps/http.ts';
import { parseSpecs } from '../../src/spec/load.ts';
import { createAsk } from '../../src/steps/ask.ts';
import type { StepResult } from '../../src/steps/contract.ts';
import { httpStep } from '../../src/steps/http.ts';
import { createTargets } from '../../src/steps/targets.ts';

const { unanswered, isInDoubt } = httpStep;
const WAY_OUT = { httpsProxy: undefined, httpProxy: undefined, noProxy: [], certificates: [] };

interface Asked {
  method: string;
  url: string;
  headers: IncomingMessage['headers'];
  body: string;
}

/** A server that answers as it is told, and remembers what it was asked. */
async function startServer(
  t: TestContext,
  answer: (count: number, response: ServerResponse) => void,
): Promise<{ url: string; asked: Asked[] }> {
  const asked: Asked[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { method = '', url = '', headers } = request;
      asked.push({ method, url, headers, body: Buffer.concat(chunks).toString() });
      answer(asked.length, response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'Content-Type': 'application/json' });
  response.end(JSON.stringify(body));
}

/** The step of a spec as it is written in YAML. */
function stepOf(http: string): HttpStepSpec {
  const { specs, problems } = parseSpecs(
    'x.yaml',
    `name: x\nrepository: a/b\non: { push: {} }\nsecrets: [TOKEN]\nsteps:\n  - http: ${http}\n`,
  );
  assert.deepEqual(problems, []);
  const [step] = specs[0]?.spec.steps ?? [];
  assert.ok(step?.kind === 'http');
  return step as HttpStepSpec;
}

async function run(
  http: string,
  options: {
    allowed?: string[];
    clock?: Clock;
    timeoutMs?: number;
    signal?: AbortSignal;
    kept?: string | undefined;
    /** Called with what is kept, which is then on the disk. */
    keep?: (text: string) => void;
  } = {},
): Promise<StepResult & { log: string }> {
  const targets = createTargets(options.allowed ?? ['127.0.0.0/8']);
  const ask = createAsk({ targets, fetch: createFetch(WAY_OUT, targets.lookup) });
  let log = '';
  const result = await httpStep.create({ ask, clock: options.clock ?? systemClock })({
    step: stepOf(http),
    attemptId: 'run1-2-1',
    directory: '/',
    scratch: '/',
    env: {},
    written: {},
    values: { run: { sha: 'abc/../d' }, event: { name: 'x"y' }, secrets: { TOKEN: 's3cret' } },
    secrets: { TOKEN: 's3cret\n' },
    kept: options.kept,
    keep: async (text) => options.keep?.(text),
    logAndKeep: async () => {},
    log: (_stream, text) => (log += text),
    signal: options.signal ?? new AbortController().signal,
    timeoutMs: options.timeoutMs ?? 60_000,
  });
  return { ...result, log };
}

test('a request is what the spec says, and values of the event stay within their place', async (t) => {
  const { url, asked } = await startServer(t, (_, response) => json(response, 201, { id: 7 }));
  const result = await run(
    `{ url: '${url}/deploy/\${{ run.sha }}', method: POST, secret: TOKEN, headers: { X-Name: '\${{ event.name }}' },
      body: { sha: '\${{ run.sha }}', list: ['\${{ event.name }}'] }, outputs: { id: 'string(int(response.body.id))' } }`,
  );
  assert.equal(result.outcome, 'succeeded');
  assert.deepEqual('outputs' in result && result.outputs, { id: '7' });
  const [request] = asked;
  assert.equal(request?.method, 'POST');
  assert.equal(request.url, '/deploy/abc%2F..%2Fd');
  assert.equal(request.headers.authorization, 'Bearer s3cret');
  assert.equal(request.headers['x-name'], 'x"y');
  assert.equal(request.headers['content-type'], 'application/json');
  assert.equal(request.headers['idempotency-key'], 'run1-2-1');
  assert.deepEqual(JSON.parse(request.body), { sha: 'abc/../d', list: ['x"y'] });
  assert.match(result.log, /^POST 127\.0\.0\.1:\d+: 201\n$/);
});

test('an answer that is not what was expected fails the step, and the log shows it', async (t) => {
  const { url } = await startServer(t, (count, response) =>
    json(response, count === 1 ? 500 : 200, { state: 'bad' }),
  );
  const failed = await run(`{ url: '${url}' }`);
  assert.ok(failed.outcome === 'failed');
  assert.match(failed.reason, /answered 500$/);
  assert.match(failed.log, /\{"state":"bad"\}/);
  const unmet = await run(`{ url: '${url}', expect: { if: "response.body.state == 'good'" } }`);
  assert.ok(unmet.outcome === 'failed');
  assert.match(unmet.reason, /does not fulfil response\.body\.state == 'good'/);
  const other = await run(`{ url: '${url}', expect: { status: [204] } }`);
  assert.ok(other.outcome === 'failed');
  assert.equal((await run(`{ url: '${url}', expect: { status: [200] } }`)).outcome, 'succeeded');
});

test('a request is repeated until the answer says that it is done, or the time is up', async (t) => {
  let now = 0;
  const clock: Clock = {
    now: () => now,
    elapsed: () => now,
    sleep: async (ms) => void (now += ms),
  };
  const { url, asked } = await startServer(t, (count, response) =>
    json(response, 200, count < 3 ? {} : { state: count === 3 ? 'done' : 'busy' }),
  );
  const http = `{ url: '${url}', until: { expression: "response.body.state == 'done'", every: 5s, timeout: 20s } }`;
  assert.equal((await run(http, { clock })).outcome, 'succeeded');
  assert.deepEqual([asked.length, now], [3, 10_000]);
  const late = await run(http, { clock });
  assert.ok(late.outcome === 'failed');
  assert.equal(late.reason, 'not done within 20.0s');
});

const AT_ONCE: Clock = { now: () => 0, elapsed: () => 0, sleep: async () => {} };

/** What was asked, as method, path and key, by a step that dies at each thing that it keeps, and goes on with that. */
async function askedWithDeaths(
  t: TestContext,
  http: (url: string) => string,
  answer: (count: number, response: ServerResponse) => void,
): Promise<{ asked: string[]; result: StepResult; doubts: boolean[] }> {
  const { url, asked } = await startServer(t, answer);
  const doubts: boolean[] = [];
  for (let kept: string | undefined; ;) {
    const before = kept;
    const death = new Error('the process has died');
    const dying = new AbortController();
    const keep = (text: string) => {
      kept = text;
      doubts.push(isInDoubt(text));
      dying.abort(death);
      throw death;
    };
    const result = await run(http(url), { kept, keep, clock: AT_ONCE, signal: dying.signal }).catch(
      () => undefined,
    );
    if (kept !== before) continue;
    assert.ok(result);
    const lines = asked.map(({ method, url: path, headers }) =>
      [method, path, headers['idempotency-key']].filter(Boolean).join(' '),
    );
    return { asked: lines, result, doubts };
  }
}

for (const { name, http, answers, asked, outcome, doubts } of [
  {
    name: 'a request',
    http: "method: POST, outputs: { id: 'response.body.id' }",
    answers: [{ id: '7' }],
    asked: ['POST /go run1-2-1'],
    outcome: { outcome: 'succeeded', exitCode: 0, outputs: { id: '7' } },
    doubts: [false],
  },
  {
    name: 'a request whose answer is not what was expected',
    http: "method: DELETE, expect: { if: 'response.body.ok' }",
    answers: [{ ok: false }],
    asked: ['DELETE /go run1-2-1'],
    outcome: { outcome: 'failed' },
    doubts: [false],
  },
  {
    name: 'a request whose answer says where to ask how it is going',
    http: `method: PUT, body: {}, until: { expression: "response.body.state == 'done'", url: response.body.at }`,
    answers: [{ at: '/jobs/5?x=1' }, { state: 'busy' }, 503, { state: 'done' }],
    asked: ['PUT /go run1-2-1', ...Array<string>(3).fill('GET /jobs/5?x=1')],
    outcome: { outcome: 'succeeded' },
    doubts: [false, false],
  },
  {
    name: 'a request that is repeated',
    http: `method: POST, until: { expression: "response.body.state == 'done'" }`,
    answers: [{}, {}, { state: 'done' }],
    asked: ['POST /go run1-2-1', 'POST /go run1-2-1-2', 'POST /go run1-2-1-3'],
    outcome: { outcome: 'succeeded' },
    doubts: [true, true, false],
  },
]) {
  test(`${name} is not sent again once it was answered, however often the process dies`, async (t) => {
    const found = await askedWithDeaths(
      t,
      (url) => `{ url: '${url}/go', ${http} }`,
      (count, response) => {
        const body = answers[count - 1];
        json(response, typeof body === 'number' ? body : 200, body);
      },
    );
    assert.deepEqual(found.asked, asked);
    assert.partialDeepStrictEqual(found.result, outcome);
    assert.deepEqual(found.doubts, doubts);
  });
}

test('a request that has got no answer is sent with its key by the next try, and one that has with another', async (t) => {
  let isSilent = true;
  const { url, asked } = await startServer(t, (count, response) => {
    if (isSilent) response.destroy();
    else json(response, count === 3 ? 500 : 200, { state: count === 5 ? 'done' : 'busy' });
  });
  const tryOnce = async (kept: string | undefined, more = '') => {
    let last = kept;
    const keep = (text: string) => void (last = text);
    await run(`{ url: '${url}', method: POST${more} }`, { kept, keep, clock: AT_ONCE });
    return last;
  };
  const first = await tryOnce(undefined);
  assert.equal(isInDoubt(first ?? ''), false, 'that try is over');
  const next = unanswered(first, 'run1-2-1');
  assert.equal(next, '{"key":"run1-2-1"}');
  assert.equal(unanswered(undefined, 'run1-2-1'), next, 'it died, or was cancelled');
  assert.equal(isInDoubt(next), true, 'it may have been sent');
  const of = (key: string) => JSON.stringify({ key });
  assert.equal(unanswered(await tryOnce(of('other')), 'run1-2-1'), of('other'));
  isSilent = false;
  assert.equal(unanswered(await tryOnce(of('refused')), 'run1-2-1'), undefined);
  const repeated = JSON.stringify({ next: 2, key: 'run1-2-1' });
  assert.equal(unanswered(repeated, 'run1-2-1'), undefined, 'the first was answered');
  const until = `, until: { expression: "response.body.state == 'done'" }`;
  assert.equal(unanswered(await tryOnce(of('until'), until), 'run1-2-1'), undefined);
  assert.deepEqual(
    asked.map(({ headers }) => headers['idempotency-key']),
    ['run1-2-1', 'other', 'refused', 'until', 'until-2'],
  );
});

test('the address that an answer names is of the same server, has the secret, and may fail to answer for a while', async (t) => {
  const other = await startServer(t, (_, response) => json(response, 200, { state: 'done' }));
  const { url, asked } = await startServer(t, (count, response) =>
    json(response, count === 1 ? 202 : 500, { at: count === 1 ? '/jobs/5' : other.url }),
  );
  const http = (at: string) =>
    `{ url: '${url}/go', method: POST, secret: TOKEN, body: {}, expect: { status: [202, 500] },
      until: { expression: "has(response.body.state)", url: ${at} } }`;
  const failed = await run(http('response.body.at'), { clock: AT_ONCE });
  assert.ok(failed.outcome === 'failed');
  assert.match(failed.reason, /^127\.0\.0\.1:\d+ answered 500$/);
  assert.equal(asked.length, 13);
  const [, poll] = asked;
  assert.equal(poll?.headers.authorization, 'Bearer s3cret');
  assert.equal(poll.headers['content-type'], undefined);
  for (const at of ['response.body.at', `"'mailto:x'"`, `"'http://x y'"`, 'response.body.none']) {
    const refused = await run(http(at), { clock: AT_ONCE });
    assert.ok(refused.outcome === 'failed', at);
    assert.match(refused.reason, /only its own are asked|nothing for the "url" of "until"/);
  }
  assert.equal(other.asked.length, 0);
});

test('this machine and what clouds tell machines about themselves are not asked, whatever they are called', async (t) => {
  const { url, asked } = await startServer(t, (_, response) => json(response, 200, {}));
  const port = new URL(url).port;
  for (const host of [
    '127.0.0.1',
    'localhost',
    '[::1]',
    '[::ffff:127.0.0.1]',
    '0.0.0.0',
    '2130706433',
    '0x7f.1',
    '169.254.169.254',
    '168.63.129.16',
    '[fd00:ec2::254]',
    '[fd00:ec2::23]',
    '[fd00:c1::a9fe:a9fe]',
    '[fd00:42::42]',
    '[fd00:100::100:200]',
    '[fd00:a9fe:a9fe::1]',
    '192.0.0.192',
    '[fd20:ce::254]',
    '[64:ff9b::a9fe:a9fe]',
    '[64:ff9b::7f00:1]',
    '[2002:7f00:1::1]',
  ]) {
    const result = await run(`{ url: 'http://${host}:${port}/' }`, { allowed: [] });
    assert.ok(result.outcome === 'failed', host);
    assert.match(result.reason, /MAINSHEET_STEP_TARGETS|is this machine/, host);
  }
  assert.equal(asked.length, 0);
  assert.equal((await run(`{ url: 'http://localhost:${port}' }`)).outcome, 'succeeded');
});

test('a redirect is not followed, and an endless answer not read', async (t) => {
  const { url, asked } = await startServer(t, (count, response) => {
    if (count === 1) response.writeHead(302, { Location: '/other' }).end();
    else response.end(Buffer.alloc(2 * 1024 * 1024));
  });
  const moved = await run(`{ url: '${url}', secret: TOKEN }`);
  assert.ok(moved.outcome === 'failed');
  assert.match(moved.reason, /answered 302/);
  const endless = await run(`{ url: '${url}' }`);
  assert.ok(endless.outcome === 'failed');
  assert.match(endless.reason, /larger than 1048576 bytes/);
  assert.equal(asked.length, 2);
});

test('a step that is cancelled, or takes too long, ends at once', async (t) => {
  const { promise: asked, resolve } = Promise.withResolvers<void>();
  const { url } = await startServer(t, () => resolve());
  const stop = new AbortController();
  const cancelled = run(`{ url: '${url}' }`, { signal: stop.signal });
  await asked;
  stop.abort();
  assert.equal((await cancelled).outcome, 'cancelled');
  assert.equal((await run(`{ url: '${url}' }`, { timeoutMs: 20 })).outcome, 'timed-out');
});

test('a secret that the spec does not list, and an expression that cannot be read, are found at load', () => {
  const { problems } = parseSpecs(
    'x.yaml',
    `
name: x
repository: a/b
on: { push: {} }
steps:
  - http: { url: 'ftp://x', secret: TOKEN, expect: { if: 'response.' }, headers: { 'a b': c } }
  - http: { url: 'https://\${{ event.host }}/', until: { expression: 'true', url: 'https://x' } }
    run: 'true'
`,
  );
  assert.deepEqual(problems.map(({ line, message }) => `${line}: ${message}`).sort(), [
    '6: a header\'s name has letters, digits and "-"',
    '6: steps[0].http.url: is not an http(s) URL',
    '6: the expression is not valid CEL: expected IDENTIFIER, got EOF',
    '6: the secret TOKEN is not in this spec\'s "secrets"',
    '7: a value of the event, the run or its outputs would belong to the host',
    '7: steps[1]: a step is only one of "run", "http", "awx", "jenkins", "workflow", "terraform", "ssh"',
    "7: the expression is not valid CEL: unexpected character: ':'",
  ]);
});
