import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import { createWorld, type World } from '../support/world.ts';

const examples = createRequire(import.meta.url)('@octokit/webhooks-examples') as {
  name: string;
  examples: Record<string, never>[];
}[];

let world: World;
before(async () => {
  const spec = (repository: string, name: string) => `
name: ${name}
repository: ${repository}
on:
  push: {}
  release: { types: [published, created, released] }
  workflow_run: { workflows: ["**"] }
if: event.never.there
steps: [{ run: "true" }]
`;
  world = await createWorld({
    specs: { 'hello.yaml': spec('Codertocat/Hello-World', 'hello') },
  });
});
after(() => world.close());

test("every one of GitHub's example payloads, signed, is taken in and gets a recorded verdict", async () => {
  const all = examples.flatMap(({ name, examples: payloads }) =>
    payloads.map((payload) => ({ name, payload })),
  );
  assert.equal(all.length, 329);
  const sent = await Promise.all(
    all.map(async ({ name, payload }) => ({ name, ...(await world.forge.deliver(name, payload)) })),
  );
  for (const { name, status, answer } of sent) assert.equal(status, 202, `${name}: ${answer}`);
  for (const { name, id } of sent) {
    const { state, summary } = await world.explained(id);
    assert.match(state, /^(processed|failed)$/, name);
    assert.ok(summary.length > 10, `${name}: ${summary}`);
  }
  const { items } = await world.controller.get<{ items: unknown[] }>('/runs');
  assert.deepEqual(items, []);
});
