import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createTryEvent, eventOf } from '../../../src/controller/operator/try-event.ts';
import { parseSpecs } from '../../../src/spec/load.ts';

const yaml = (repository: string) => `name: shop
repository: ${repository}
on:
  push: { branches: [main], tags: ['v*'], paths: ['src/**'] }
  release: {}${repository.includes(':') ? '' : '\n  workflow_run: { workflows: [CI], branches: [main] }'}
steps: [{ run: make }]
`;

function tryOn(repository: string) {
  const { specs } = parseSpecs('a.yaml', yaml(repository));
  const tryEvent = createTryEvent({
    catalog: { forRepository: (name) => (name === repository ? specs : []) },
    repositories: { namesOf: async (name) => [name] },
  });
  return async (event: 'push' | 'release' | 'workflow_run', ref: string, files: string[] = []) => {
    const { specs: tried } = await tryEvent(
      eventOf({ event, repository, ref, files, workflow: 'CI' }),
    );
    const [one] = tried;
    assert.ok(one);
    const failed = one.verdict.reasons.find(({ held }) => !held)?.condition ?? 'matched';
    return `${failed}${one.certain ? '' : ', not certain'}`;
  };
}

for (const repository of ['acme/shop', 'work:team/sub/shop']) {
  test(`a ref of ${repository} is judged as the event that a server would send`, async () => {
    const tried = tryOn(repository);
    const isGitHub = !repository.includes(':');
    assert.equal(await tried('push', 'refs/tags/v1'), 'matched');
    assert.equal(await tried('push', 'next'), 'on.push.branches');
    assert.equal(await tried('release', 'v1.2'), 'matched');
    // Other servers list no files, and tell of no workflows.
    assert.equal(
      await tried('push', 'main', ['src/a.ts']),
      isGitHub ? 'matched' : 'matched, not certain',
    );
    if (!isGitHub) return;
    assert.equal(await tried('push', 'main', ['docs/a.md']), 'on.push.paths');
    assert.equal(await tried('push', 'main'), 'matched, not certain');
    assert.equal(await tried('workflow_run', 'main'), 'matched');
    assert.equal(await tried('workflow_run', 'next'), 'on.workflow_run.branches');
  });
}

test('a payload that is of nothing says why, and of another repository starts nothing here', async () => {
  const tryEvent = createTryEvent({
    catalog: { forRepository: () => [] },
    repositories: { namesOf: async (name) => [name] },
  });
  const nothing = await tryEvent({ name: 'push', payload: { ref: 7 } });
  assert.deepEqual(nothing.specs, []);
  assert.match(nothing.said, /payload/);
  const other = eventOf({
    event: 'push',
    repository: 'acme/x',
    ref: '../x',
    files: [],
    workflow: '',
  });
  assert.match((await tryEvent(other)).said, /cannot be read/);
});
