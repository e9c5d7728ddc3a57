import assert from 'node:assert/strict';
import { isUtf8 } from 'node:buffer';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { startHttp } from '../http/fixture.ts';
import { rawRequest } from '../http/raw.ts';
import { runs } from './runs.ts';

/** One part of a request, and the statuses that it is reason enough for; none when nothing is wrong with it. */
interface Part<Value> {
  value: Value;
  refusedWith: number[];
}

const good = <Value>(value: Value): Part<Value> => ({ value, refusedWith: [] });
const bad = <Value>(value: Value, ...refusedWith: number[]): Part<Value> => ({
  value,
  refusedWith,
});
/** Mostly what is right, so that a request gets to its later faults too. */
const mostly = <Value>(right: fc.Arbitrary<Value>, wrong: fc.Arbitrary<Value>) =>
  fc.oneof({ arbitrary: right, weight: 4 }, { arbitrary: wrong, weight: 1 });

const methods = mostly(
  fc.constant(good('POST')),
  fc.constantFrom('GET', 'PUT', 'DELETE', 'PATCH', 'OPTIONS').map((method) => bad(method, 405)),
);

const contentTypes = mostly(
  fc.constantFrom(
    'application/json',
    'Application/JSON; charset=utf-8',
    'application/x-www-form-urlencoded',
    'application/x-www-form-urlencoded;charset=x',
  ),
  fc.constantFrom('', 'text/plain', 'application/jsonp', ';', 'multipart/form-data; boundary=a'),
).map((type) =>
  /^application\/(json|x-www-form-urlencoded)(;|$)/i.test(type) ? good(type) : bad(type, 415),
);

const events = mostly(
  fc.constantFrom('issues', 'ping', 'member', 'constructor', '__proto__').map(good),
  fc
    .constantFrom('', 'Push', '../push', 'a b', 'x'.repeat(101), '{}')
    .map((name) => bad(name, 400)),
);

/** Few, so that many a delivery comes again. */
const ids = mostly(
  fc.integer({ min: 0, max: 30 }).map((n) => good(`delivery-${n}`)),
  fc
    .constantFrom('', 'a b', '../../x', "';--", '%00', 'ä', 'x'.repeat(101))
    .map((id) => bad(id, 400)),
);

const signers = mostly(
  fc.constant(good((body: Buffer) => sign('secret', body))),
  fc
    .constantFrom<(body: Buffer) => string>(
      () => '',
      (body) => sign('another', body),
      (body) => sign('secret', Buffer.concat([body, Buffer.from(' ')])),
      (body) => sign('secret', body).toUpperCase(),
      (body) => sign('secret', body).slice(0, -1),
      (body) => sign('secret', body).replace('sha256', 'sha1'),
      () => `sha256=${'0'.repeat(64)}`,
    )
    .map((signer) => bad(signer, 401)),
);

const json = fc.json({ maxDepth: 3 });
const objects = fc
  .oneof(
    fc
      .dictionary(fc.string({ unit: 'binary' }), fc.jsonValue({ maxDepth: 2 }))
      .map((o) => JSON.stringify(o)),
    fc.constantFrom(
      '{}',
      '{"a":1,"a":2,"repository":{"full_name":"a/b"},"repository":null}',
      '{"__proto__":{"full_name":"a/b"},"constructor":1,"repository":{"__proto__":null}}',
      '{"n":1e999,"m":-0,"big":123456789012345678901234567890}',
      '{"s":"\\u0000\\ud800 \\u2028"}',
      `{"deep":${'['.repeat(50_000)}${']'.repeat(50_000)}}`,
      `{"deep":${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}}`,
      `  {"action":${JSON.stringify('x'.repeat(70_000))}}\n`,
    ),
  )
  .map(Buffer.from);
const bodies = mostly(
  objects,
  fc.oneof(
    json.map(Buffer.from),
    fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
    fc.tuple(objects, fc.nat()).map(([body, at]) => body.subarray(0, at % body.length)),
    objects.map((body) => Buffer.concat([Buffer.from('\uFEFF'), body])),
    objects.map((body) => Buffer.from(body.toString().replaceAll('{', '{\0'))),
    objects.map((body) => Buffer.concat([body, Buffer.from([0x20, 0xff])])),
  ),
);
const forms = mostly(
  fc.constant((body: Buffer) => new URLSearchParams({ payload: body.toString() }).toString()),
  fc.constantFrom(
    (body: Buffer) => `other=${encodeURIComponent(body.toString())}`,
    (body: Buffer) => `payload=%7B%zz&payload=${encodeURIComponent(body.toString())}`,
    (body: Buffer) => `payload=${encodeURIComponent(body.toString())}&x`,
    (body: Buffer) => body.toString(),
    () => 'payload',
    () => '',
  ),
);

/** What else a request may carry; nothing of it matters. */
const moreHeaders = fc.dictionary(
  fc.stringMatching(/^x-[a-z]{1,10}$/),
  fc.stringMatching(/^[ -~\x80-\xff]{0,40}$/),
  { maxKeys: 5 },
);

const requests = fc.record({
  method: methods,
  type: contentTypes,
  event: events,
  id: ids,
  signer: signers,
  body: bodies,
  form: forms,
  more: moreHeaders,
  chunked: fc.boolean(),
});

test('whatever is posted is answered as the contract says, and only what is answered 202 is stored, once', async (t) => {
  const { port, store, wakes } = await startHttp(t);
  const accepted = new Map<string, { text: string; copyOf: string | undefined }>();
  /** Of each event and signature the delivery that was the first. */
  const originals = new Map<string, string>();
  const allIds = async () =>
    (await store.inbox.list({ limit: 200, before: undefined })).items.map(({ id }) => id);
  await fc.assert(
    fc.asyncProperty(
      requests,
      async ({ method, type, event, id, signer, more, chunked, ...content }) => {
        const isForm = type.value.includes('form');
        const sent = isForm ? Buffer.from(content.form(content.body)) : content.body;
        const text = isForm ? fieldOf(sent.toString()) : sent.toString();
        const refusedWith = new Set([
          ...[method, type, event, id, signer].flatMap((part) => part.refusedWith),
          ...(isObject(text) ? [] : [400]),
          // What is empty or no text can have no signature: refused for either reason.
          ...(sent.length > 0 && isUtf8(sent) ? [] : [400, 401]),
        ]);
        const before = wakes();
        const signature = signer.value(sent);
        const answer = await rawRequest(
          port,
          requestOf(method.value, sent, chunked, {
            ...more,
            'Content-Type': type.value,
            'X-GitHub-Event': event.value,
            'X-GitHub-Delivery': id.value,
            'X-Hub-Signature-256': signature,
          }),
        );
        if (refusedWith.size > 0) {
          assert.ok(refusedWith.has(answer.status), `${answer.status}: ${answer.body}`);
          assert.equal(answer.headers['content-type'], 'application/problem+json');
          assert.equal((JSON.parse(answer.body) as { status: number }).status, answer.status);
          assert.equal(wakes(), before);
        } else {
          assert.equal(answer.status, 202, answer.body);
          const known = accepted.get(id.value);
          const said = `${event.value} ${signature}`;
          const copyOf = known === undefined ? originals.get(said) : known.copyOf;
          const isNew = known === undefined && copyOf === undefined;
          assert.deepEqual(JSON.parse(answer.body), {
            delivery: id.value,
            duplicate: !isNew,
            ...(copyOf === undefined ? {} : { copyOf }),
          });
          assert.equal(wakes(), isNew ? before + 1 : before);
          if (isNew) originals.set(said, id.value);
          if (known === undefined) {
            accepted.set(id.value, { text: isNew ? (text ?? '') : '', copyOf });
          }
          const stored = await store.inbox.get(id.value);
          assert.equal(stored?.payload, accepted.get(id.value)?.text);
        }
        assert.deepEqual((await allIds()).sort(), [...accepted.keys()].sort());
      },
    ),
    runs(400),
  );
  assert.ok(accepted.size > 0, 'nothing was ever right');
});

test('whatever target is asked for, the answer is never a fault of Mainsheet', async (t) => {
  const { port, log } = await startHttp(t);
  const [starts, pieces] = [STARTS, PIECES].map((list) => fc.constantFrom(...list.split(' ')));
  assert.ok(starts && pieces);
  const targets = fc
    .tuple(starts, fc.array(pieces, { maxLength: 5 }))
    .map(([start, rest]) => start + rest.join(''));
  await fc.assert(
    fc.asyncProperty(fc.constantFrom('GET', 'POST', 'HEAD'), targets, async (method, target) => {
      const answer = await rawRequest(
        port,
        Buffer.from(
          `${method} ${target} HTTP/1.1\r\nHost: localhost:${port}\r\nConnection: close\r\n\r\n`,
          'latin1',
        ),
      );
      assert.ok(answer.status >= 200 && answer.status < 500, `${answer.status}: ${answer.body}`);
      if (answer.status >= 400 && answer.headers['content-type'] !== undefined) {
        // A form of the pages is answered with a page.
        const isPage = method === 'POST' && /^\/(?:runs|specs)\//.test(target);
        const expected = isPage
          ? /^(?:text\/html; charset=utf-8|application\/problem\+json)$/
          : /^application\/problem\+json$/;
        assert.match(answer.headers['content-type'], expected);
      }
    }),
    runs(500),
  );
  assert.deepEqual(
    log.filter(({ level }) => Number(level) >= 50),
    [],
  );
});

test('whatever bytes a connection brings, the server goes on and nothing is stored', async (t) => {
  const { port, store, log } = await startHttp(t);
  const head = 'POST /webhooks/v1/github HTTP/1.1\r\nHost: x\r\n';
  const streams = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc
      .array(fc.constantFrom(...STREAM_PIECES), { maxLength: 12 })
      .map((list) => Buffer.from(head + list.join(''), 'latin1')),
  );
  await fc.assert(
    fc.asyncProperty(streams, async (bytes) => {
      const { status } = await rawRequest(port, bytes, { end: true });
      assert.ok(Number.isNaN(status) || (status >= 400 && status < 500), `${status}`);
    }),
    runs(300),
  );
  assert.equal((await fetch(`http://127.0.0.1:${port}/healthz`)).status, 200);
  assert.equal(await store.inbox.countPending(), 0);
  assert.deepEqual(
    log.filter(({ level }) => Number(level) >= 50),
    [],
  );
});

/** What targets begin with and go on with. */
const STARTS =
  '/ // /api/v1 /api/v1/runs /api/v1/deliveries /api/v1/outbox /runs http:// http://[ * x';
const PIECES =
  '/ // /runs /deliveries /outbox /specs /x /log /explain /retry /replay /cancel /rollback /healthz ' +
  '? ?limit= ?cursor= &state= &x= %00 %zz %2e%2e .. [ ] : @ * \\ | 1e3 -1 __proto__ \xe4 http:// # ; { ' +
  '\' " djE6MTU /webhooks/v1/github %F0%9F +';
const STREAM_PIECES = [
  '\r\n',
  '\n',
  ':',
  ' ',
  '\0',
  'x',
  '5',
  '-1',
  'Content-Length: ',
  'Content-Length: 3\r\n',
  'Transfer-Encoding: chunked\r\n',
  '0\r\n\r\n',
  'fffffffffffffffff\r\n',
  'X-GitHub-Event: push\r\n',
  'X-GitHub-Delivery: d\r\n',
  'Content-Type: application/json\r\n',
  'Upgrade: h2c\r\n',
];

function sign(secret: string, body: Buffer): string {
  return `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`;
}

/** The form's only field; of anything else nothing is read. */
function fieldOf(form: string): string | null {
  return /^payload=[^&]*$/.test(form) ? new URLSearchParams(form).get('payload') : null;
}

function isObject(text: string | null): boolean {
  try {
    return /^\s*\{/.test(text ?? '') && JSON.parse(text ?? '') !== null;
  } catch {
    return false;
  }
}

function requestOf(
  method: string,
  body: Buffer,
  chunked: boolean,
  headers: Record<string, string>,
): Buffer {
  const lines = Object.entries({
    Host: 'localhost',
    Connection: 'close',
    ...(chunked ? { 'Transfer-Encoding': 'chunked' } : { 'Content-Length': `${body.length}` }),
    ...headers,
  }).map(([name, value]) => `${name}: ${value}\r\n`);
  const head = Buffer.from(
    `${method} /webhooks/v1/github HTTP/1.1\r\n${lines.join('')}\r\n`,
    'latin1',
  );
  if (!chunked) return Buffer.concat([head, body]);
  const half = Math.ceil(body.length / 2);
  const chunks = [body.subarray(0, half), body.subarray(half)].filter((chunk) => chunk.length > 0);
  const written = chunks.flatMap((chunk) => [
    Buffer.from(`${chunk.length.toString(16)}\r\n`),
    chunk,
    Buffer.from('\r\n'),
  ]);
  return Buffer.concat([head, ...written, Buffer.from('0\r\n\r\n')]);
}
