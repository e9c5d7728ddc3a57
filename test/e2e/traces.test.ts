import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { until } from '../support/until.ts';
import { createWorld, SITE } from '../support/world.ts';

const SPECS = `
name: good
repository: ${SITE}
on: push
steps: [{ name: build, run: "true" }, { name: copy, run: "true" }]
---
name: bad
repository: ${SITE}
on: push
environment: staging
steps: [{ name: build, run: "exit 3" }, { name: never, run: "true" }]
`;

interface Span {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  status?: { code?: number; message?: string };
  attributes?: { key: string; value: { stringValue: string } }[];
}

test('runs reach a collector as spans of one trace, also when it was away as they ended', async (t) => {
  const requests: { path: string; authorization: string; body: string }[] = [];
  const collector = createServer((request, response) => {
    void text(request).then((body) => {
      const { url = '', headers } = request;
      requests.push({ path: url, authorization: String(headers.authorization), body });
      response.writeHead(requests.length === 1 ? 503 : 200, { 'Retry-After': '0' }).end('{}');
    });
  }).listen(0, '127.0.0.1');
  await once(collector, 'listening');
  t.after(() => collector.close());
  const world = await createWorld({
    specs: { 'specs.yaml': SPECS },
    env: {
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${(collector.address() as AddressInfo).port}/otlp`,
      OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20s3cret',
    },
  });
  t.after(() => world.close());

  const sha = await world.sample.commit({ message: 'one' });
  await world.sample.push('main');
  const good = await world.ended(sha, 'good');
  const bad = await world.ended(sha, 'bad');
  await world.settled();

  const taken = requests.slice(1);
  assert.ok(
    requests.every(
      ({ path, authorization }) => path === '/otlp/v1/traces' && authorization === 'Bearer s3cret',
    ),
  );
  const spans = await until('both runs have arrived', async () => {
    const all = taken.flatMap(({ body }) => {
      const { resourceSpans } = JSON.parse(body) as {
        resourceSpans: { scopeSpans: { spans: Span[] }[] }[];
      };
      return resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap((scope) => scope.spans));
    });
    return all.filter(({ name }) => name.startsWith('run ')).length === 2 && all;
  });
  assert.equal(new Set(spans.map(({ traceId }) => traceId)).size, 1);
  const named = (name: string) => {
    const found = spans.find((span) => span.name === name);
    assert.ok(found, `there is a span ${name}`);
    return found;
  };
  const attributesOf = ({ attributes = [] }: Span) =>
    Object.fromEntries(attributes.map(({ key, value }) => [key, value.stringValue]));

  const delivery = named('delivery push');
  const run = named('run good');
  assert.equal(run.parentSpanId, delivery.spanId);
  assert.deepEqual(run.status, { code: 1 });
  assert.ok(BigInt(run.endTimeUnixNano) >= BigInt(run.startTimeUnixNano));
  assert.deepEqual(attributesOf(run), {
    'cicd.pipeline.name': 'good',
    'cicd.pipeline.run.id': good.id,
    'cicd.pipeline.result': 'success',
    'deployment.environment.name': 'production',
    'vcs.repository.name': SITE,
    'vcs.ref.head.name': 'main',
    'vcs.ref.head.revision': sha,
    'mainsheet.cause': 'event',
  });
  assert.equal(named('step copy').parentSpanId, run.spanId);
  const failed = named('run bad');
  assert.equal(failed.status?.code, 2);
  assert.equal(failed.status?.message, bad.reason);
  assert.equal(
    spans.some(({ name }) => name === 'step never'),
    false,
  );
  // Each try has the same numbers, so that a collector can tell a repetition.
  const numbers = spans.map(({ spanId }) => spanId);
  const deliveries = spans.filter(({ name }) => name === 'delivery push').length;
  assert.equal(new Set(numbers).size, numbers.length - (deliveries - 1));
});
