import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test, type TestContext } from 'node:test';
import { parseSpecs } from '../../src/spec/load.ts';
import { asAdmin } from '../support/admin.ts';
import { NOW, startHttp, type Fixture } from './fixture.ts';

const HOUR = 3_600_000;

interface Made {
  id: string;
  path: string;
  secret: string;
  expiresAt: string;
  secrets: { until: string | null }[];
}

async function start(t: TestContext) {
  const { hooks, problems } = parseSpecs(
    'hooks.yaml',
    'kind: hook\nid: tenant\nsender: { hmac: { header: X-Sig } }\nextract: { tenant: $.tenant, tag: { json: $.tag, required: true } }',
  );
  assert.deepEqual(problems, []);
  let time = 0;
  const fixture = await startHttp(t, { hooks: hooks.map(({ hook }) => hook), passed: () => time });
  return { ...fixture, later: (ms: number) => void (time += ms) };
}

async function call({ url }: Fixture, method: string, path: string, body?: object) {
  return await asAdmin(`${url}/api/v1/hooks${path}`, {
    method,
    ...(body === undefined
      ? {}
      : { headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) }),
  });
}

async function make(fixture: Fixture, more: object = {}): Promise<Made> {
  const response = await call(fixture, 'POST', '', { hook: 'tenant', owner: 'acme', ...more });
  assert.equal(response.status, 201);
  return (await response.json()) as Made;
}

async function send({ url }: Fixture, path: string, secret: string, payload: object) {
  const body = JSON.stringify(payload);
  return await fetch(`${url}/${path}`, {
    method: 'POST',
    headers: {
      'Content-Type': 'application/json',
      'X-Sig': createHmac('sha256', secret).update(body).digest('hex'),
    },
    body,
  });
}

test('a hook that was made takes what its own secret signed, until it expires', async (t) => {
  const fixture = await start(t);
  const [made, other] = [await make(fixture, { expires: '1h' }), await make(fixture)];
  assert.match(made.id, /^[0-9a-f]{32}$/);
  assert.notEqual(made.secret, other.secret);
  assert.equal((await send(fixture, made.path, made.secret, { tag: 'v1' })).status, 202);
  assert.equal((await send(fixture, made.path, other.secret, { tag: 'v2' })).status, 401);
  assert.equal(
    (await send(fixture, 'webhooks/v1/hooks/tenant', made.secret, { tag: 'v3' })).status,
    401,
  );
  fixture.later(HOUR);
  assert.equal((await send(fixture, made.path, made.secret, { tag: 'v4' })).status, 404);
  assert.equal((await send(fixture, other.path, other.secret, { tag: 'v4' })).status, 202);
});

test('no secret is stored, and none is told a second time', async (t) => {
  const fixture = await start(t);
  const made = await make(fixture);
  const row = JSON.stringify(await fixture.store.hooks.get(made.id));
  const listed = await (await call(fixture, 'GET', '')).text();
  for (const text of [row, listed, JSON.stringify(fixture.log)]) {
    assert.ok(!text.includes(made.secret));
  }
  assert.ok(listed.includes(made.id));
});

test('inputs that the hook was made with are not the sender’s to choose', async (t) => {
  const fixture = await start(t);
  const made = await make(fixture, { inputs: { tenant: 'acme' }, owner: 'Acme Ltd' });
  const response = await send(fixture, made.path, made.secret, { tag: 'v1', tenant: 'other' });
  const { delivery } = (await response.json()) as { delivery: string };
  const stored = await fixture.store.inbox.get(delivery);
  const { inputs, dynamic, hook } = JSON.parse(stored?.payload ?? '') as Record<string, unknown>;
  assert.deepEqual(inputs, { tag: 'v1', tenant: 'acme' });
  assert.deepEqual(dynamic, { id: made.id, owner: 'Acme Ltd', specs: [] });
  assert.deepEqual([hook, stored?.delivery.event], ['tenant', 'hook:tenant']);
});

test('after a rotation both secrets count, and then the new one alone', async (t) => {
  const fixture = await start(t);
  const made = await make(fixture);
  const rotated = (await (
    await call(fixture, 'POST', `/${made.id}/rotate?overlap=1h`)
  ).json()) as Made;
  assert.deepEqual(
    rotated.secrets.map(({ until }) => until),
    [new Date(NOW + HOUR).toISOString(), null],
  );
  assert.equal((await send(fixture, made.path, made.secret, { tag: 'a' })).status, 202);
  assert.equal((await send(fixture, made.path, rotated.secret, { tag: 'b' })).status, 202);
  fixture.later(HOUR);
  assert.equal((await send(fixture, made.path, made.secret, { tag: 'c' })).status, 401);
  assert.equal((await send(fixture, made.path, rotated.secret, { tag: 'd' })).status, 202);
});

test('what is made, rotated and removed is in the audit, and a removed hook is gone', async (t) => {
  const fixture = await start(t);
  const made = await make(fixture);
  await call(fixture, 'POST', `/${made.id}/rotate`);
  assert.equal((await call(fixture, 'DELETE', `/${made.id}`)).status, 200);
  assert.equal((await call(fixture, 'DELETE', `/${made.id}`)).status, 404);
  assert.equal((await send(fixture, made.path, made.secret, { tag: 'a' })).status, 404);
  const entries = await fixture.store.audit.ofSubject(made.id, 10);
  assert.deepEqual(
    entries.map(({ action }) => action),
    ['hook.create', 'hook.rotate', 'hook.delete'],
  );
});

test('what a hook cannot be made of is refused, and says what there is', async (t) => {
  const fixture = await start(t);
  const refusal = async (body: object) => {
    const response = await call(fixture, 'POST', '', { owner: 'a', hook: 'tenant', ...body });
    const { code, hint } = (await response.json()) as { code: string; hint?: string };
    return [response.status, code, hint];
  };
  assert.deepEqual((await refusal({ hook: 'nope' })).slice(0, 2), [404, 'hook-unknown']);
  assert.deepEqual(await refusal({ inputs: { tagg: 'x' } }), [
    422,
    'input-unknown',
    'it has tenant, tag',
  ]);
  assert.deepEqual(await refusal({ specs: ['shop'] }), [404, 'spec-unknown', 'it starts none']);
  assert.deepEqual((await refusal({ expires: '10y' })).slice(0, 2), [400, 'invalid-body']);
});

test('a request can be tried: its inputs and what would refuse it are told, and nothing is stored', async (t) => {
  const fixture = await start(t);
  const tried = async (body: object) => await call(fixture, 'POST', '/tenant/test', body);
  const response = await tried({ body: '{"tag":"v1"}' });
  assert.deepEqual(
    { ...((await response.json()) as object), delivery: '' },
    {
      refused: 'the header X-Sig is missing',
      delivery: '',
      inputs: { tenant: null, tag: 'v1' },
      specs: [],
    },
  );
  const lacking = await tried({ body: '{}' });
  assert.equal(lacking.status, 422);
  assert.equal(await fixture.store.inbox.countPending(), 0);
});
