import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { isoTime } from '../../src/lib/clock.ts';
import type { Run } from '../../src/model/run.ts';
import { sampleLoaded } from '../runs/samples.ts';
import { sampleDelivery, sampleRun, sampleStatus } from '../store/samples.ts';
import { NOW, startHttp, type Fixture } from './fixture.ts';
import { parseSpecs } from '../../src/spec/load.ts';
import { asAdmin } from '../support/admin.ts';

interface Document {
  openapi: string;
  info: { title: string; version: string };
  paths: Record<string, Record<string, Operation>>;
}

interface Operation {
  operationId: string;
  summary: string;
  parameters: { name: string; in: string; required: boolean; schema: object }[];
  responses: Record<string, { content: Record<string, { schema: object }> }>;
}

/** Every route there is: a new one is added here, too. */
const ROUTES = [
  'post /api/v1/backtest',
  'get /api/v1/why',
  'get /api/v1/ask',
  'post /api/v1/specs/{name}/try',
  'get /api/v1/insights',
  'get /api/v1/audit',
  'get /api/v1/automation',
  'get /api/v1/hooks/{id}',
  'get /api/v1/settings',
  'post /api/v1/settings/check',
  'get /api/v1/deliveries',
  'get /api/v1/deliveries/{id}',
  'get /api/v1/deliveries/{id}/explain',
  'post /api/v1/deliveries/{id}/replay',
  'get /api/v1/hooks',
  'post /api/v1/hooks',
  'post /api/v1/hooks/{id}/rotate',
  'post /api/v1/hooks/{id}/test',
  'delete /api/v1/hooks/{id}',
  'get /api/v1/environments',
  'get /api/v1/environments/{spec}/history',
  'get /api/v1/events',
  'get /api/v1/openapi.json',
  'post /api/v1/login-links',
  'get /api/v1/outbox',
  'get /api/v1/overview',
  'get /api/v1/outbox/{id}',
  'post /api/v1/outbox/retry',
  'post /api/v1/outbox/{id}/retry',
  'get /api/v1/pauses',
  'get /api/v1/previews',
  'get /api/v1/runs',
  'get /api/v1/runs/{id}',
  'get /api/v1/runs/{id}/log',
  'post /api/v1/runs/{id}/cancel',
  'post /api/v1/runs/{id}/approve',
  'post /api/v1/runs/{id}/reject',
  'post /api/v1/runs/{id}/override',
  'post /api/v1/runs/{id}/retry',
  'post /api/v1/runs/{id}/rollback',
  'get /api/v1/specs',
  'post /api/v1/specs/{name}/rollback',
  'post /api/v1/specs/{name}/deploy',
  'post /api/v1/specs/{name}/pause',
  'post /api/v1/specs/{name}/resume',
  'post /api/v1/lanes/{lane}/pause',
  'post /api/v1/lanes/{lane}/resume',
];

/** What is sent to operations that take a body. */
const BODIES: Record<string, unknown> = {
  'post /api/v1/backtest': { specs: [] },
  'post /api/v1/specs/{name}/try': { event: 'push', ref: 'main' },
  'post /api/v1/hooks': { hook: 'tenant', owner: 'acme' },
  'post /api/v1/hooks/{id}/test': { body: '{}' },
};

const HOOK = '0123456789abcdef'.repeat(2);
const HOOKS = parseSpecs(
  'a.yaml',
  'kind: hook\nid: tenant\nsender: bearer\nextract: { tag: $.tag }',
).hooks.map(({ hook }) => hook);

/** What operations ask for that cannot do without. */
const QUERIES: Record<string, string> = {
  'get /api/v1/why': '?repository=acme/storefront&sha=aaaaaaa',
  'get /api/v1/ask': '?q=r1',
};

async function describeApi({ url }: Fixture): Promise<Document> {
  const response = await asAdmin(`${url}/api/v1/openapi.json`);
  assert.equal(response.status, 200);
  assert.match(response.headers.get('Content-Type') ?? '', /^application\/json/);
  return (await response.json()) as Document;
}

function operationsOf(document: Document): [method: string, path: string, Operation][] {
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]): [string, string, Operation] => [
      method,
      path,
      operation,
    ]),
  );
}

/** One of everything, so that every list has an item and every id exists. */
async function fill({ store, specs }: Fixture): Promise<void> {
  await store.accept(sampleDelivery('d1'));
  const verdict = {
    matched: true,
    reasons: [{ condition: 'repository', held: true, detail: 'it is' }],
  };
  const outcome = { summary: 'x', specs: [{ spec: 'storefront', verdict, run: 'r1' }] };
  await store.inbox.close('d1', 'processed', outcome, 1);
  const run = await store.runs.insert(sampleRun('r1', { outputs: { a: 'b' } }), ['Build']);
  assert.ok(run);
  const callbacks = [
    sampleStatus('pending'),
    { kind: 'webhook', notify: 0, run } as const,
    {
      kind: 'deployment',
      repository: 'acme/storefront',
      runId: 'r1',
      spec: 'storefront',
      sha: run.sha,
      environment: 'production',
      description: '',
    } as const,
  ];
  await store.outbox.add(
    'r1',
    callbacks.map((callback) => ({ target: 'a', callback })),
    1,
  );
  await store.outbox.finish(1, 'dead', 2, 'gone');
  await store.environments.record(run, 1);
  for (const [id, sha] of ['b', 'c'].entries()) {
    const ended = { sha: sha.repeat(40), state: 'succeeded' as const, finishedAt: NOW + id };
    await store.runs.insert(sampleRun(['old', 'new'][id] ?? '', ended), []);
  }
  const problem = { file: 'a.yaml', line: 1, column: 1, message: 'x', hint: 'y', excerpt: 'x\n^' };
  await store.audit.record({
    at: 1,
    actor: 'admin',
    action: 'run.retry',
    subject: 'r1',
    detail: '',
  });
  await store.pauses.add({ kind: 'lane', name: 'main', since: 1, by: 'admin', reason: 'x' });
  await store.hooks.add({
    id: HOOK,
    hook: 'tenant',
    owner: 'acme',
    specs: [],
    inputs: { tag: 'v1' },
    secrets: [{ id: 's1', createdAt: 1, until: null }],
    createdAt: 1,
    createdBy: 'admin',
    expiresAt: NOW + 1,
  });
  Object.assign(specs, { specs: [sampleLoaded()], stale: true, problems: [problem] });
}

function idIn(path: string): string {
  if (path.includes('/hooks/')) return HOOK;
  if (/environments\/|\/try$/.test(path)) return 'storefront';
  if (/\/runs\/|rollback/.test(path)) return 'r1';
  return path.includes('/outbox/') ? '1' : 'd1';
}

test('the description has every route of the API, and each once', async (t) => {
  const document = await describeApi(await startHttp(t));
  assert.equal(document.openapi, '3.1.0');
  assert.equal(document.info.version, '1.2.3');
  const operations = operationsOf(document);
  assert.deepEqual(
    operations.map(([method, path]) => `${method} ${path}`).sort(),
    ROUTES.toSorted(),
  );
  const names = operations.map(([, , { operationId }]) => operationId);
  assert.equal(new Set(names).size, names.length);
  for (const [, path, { summary, parameters }] of operations) {
    assert.ok(summary.length > 0);
    const placeholders = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
    const described = parameters.filter((one) => one.in === 'path').map(({ name }) => name);
    assert.deepEqual(described, placeholders, path);
  }
});

test('every answer is as it is described: what is asked for, and what is refused', async (t) => {
  const run: Run = { ...sampleRun('r2', { cause: 'replay' }), sequence: 2 };
  const replay = async () => ({ outcome: { summary: 'x', specs: [] }, runs: [run] });
  const fixture = await startHttp(t, { intake: { replay }, hooks: HOOKS });
  await fill(fixture);
  const document = await describeApi(fixture);
  const ajv = new Ajv2020({ strict: false, allErrors: true });
  addFormats.default(ajv);
  ajv.addSchema(document, 'openapi');

  const validate = (pointer: string[], value: unknown) => {
    const escaped = pointer.map((part) =>
      encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1')),
    );
    const check = ajv.compile({ $ref: `openapi#/${escaped.join('/')}` });
    assert.ok(check(value), `${pointer.join(' ')}: ${ajv.errorsText(check.errors)}`);
  };

  for (const [method, path, operation] of operationsOf(document)) {
    const id = idIn(path);
    const url = fixture.url + path.replace(/\{\w+\}/, id);
    const query = QUERIES[`${method} ${path}`] ?? '';
    const status = Object.keys(operation.responses).find((key) => key !== 'default') ?? '';
    const { content } = operation.responses[status] ?? { content: {} };
    const gone = new AbortController();
    const body = BODIES[`${method} ${path}`];
    const response = await asAdmin(url + query, {
      method,
      signal: gone.signal,
      ...(body === undefined
        ? {}
        : { body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } }),
    });
    assert.equal(String(response.status), status, `${method} ${path}`);
    const [type = ''] = (response.headers.get('Content-Type') ?? '').split(';');
    assert.ok(type in content, `${method} ${path} answers ${type}`);
    const place = ['paths', path, method, 'responses'];
    if (type === 'application/json') {
      validate([...place, status, 'content', type, 'schema'], await response.json());
    }
    gone.abort();

    const refused = await asAdmin(`${url}?unknown=1`, { method });
    assert.equal(refused.status, 400, `${method} ${path}`);
    const problem = 'application/problem+json';
    assert.equal(refused.headers.get('Content-Type'), problem);
    validate([...place, 'default', 'content', problem, 'schema'], await refused.json());
  }
});

test('an answer that is not as described would be noticed', async (t) => {
  const fixture = await startHttp(t);
  const document = await describeApi(fixture);
  const ajv = new Ajv2020({ strict: false });
  addFormats.default(ajv);
  ajv.addSchema(document, 'openapi');
  const check = ajv.compile({ $ref: 'openapi#/components/schemas/Run' });
  assert.equal(check({ id: 'r1' }), false);
});

test('every query parameter that is described is taken, with its default where it has one', async (t) => {
  const fixture = await startHttp(t, { hooks: HOOKS });
  await fill(fixture);
  const document = await describeApi(fixture);
  const samples: Record<string, string> = {
    limit: '5',
    cursor: 'djE6OQ',
    timestamps: 'true',
    resume: 'true',
    repository: 'acme/storefront',
    sha: 'a'.repeat(40),
    overlap: '1h',
    at: isoTime(NOW),
    q: 'acme/storefront%2312',
    from: isoTime(NOW - 1),
    to: isoTime(NOW),
  };
  for (const [method, path, { parameters }] of operationsOf(document)) {
    for (const { name, in: place, required, schema } of parameters) {
      if (place !== 'query') continue;
      const needed = QUERIES[`${method} ${path}`] ?? '';
      assert.equal(required, needed.includes(`${name}=`), `${path} ${name}`);
      const value =
        samples[name] ?? ('enum' in schema ? String((schema.enum as unknown[])[0]) : 'x');
      const id = /hooks|environments|outbox/.test(path) ? idIn(path) : 'r1';
      const url = `${fixture.url}${path.replace(/\{\w+\}/, id)}${needed.replace(new RegExp(`${name}=[^&]*&?`), '') || '?'}&${name}=${value}`;
      assert.ok((await asAdmin(url, { method })).ok, url);
    }
  }
});
