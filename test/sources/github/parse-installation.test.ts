import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import type { Json } from '../../../src/model/event.ts';
import { parseEvent } from '../../../src/sources/github/events.ts';

const examples = createRequire(import.meta.url)('@octokit/webhooks-examples') as {
  name: string;
  examples: { action?: string }[];
}[];

const example = (name: string, action: string): Json => {
  const found = examples
    .find((one) => one.name === name)
    ?.examples.find((one) => one.action === action);
  assert.ok(found, `${name} ${action}`);
  return found;
};

test('what becomes of an installation is read from GitHub’s own examples', () => {
  for (const [name, action, change] of [
    ['installation', 'created', 'added'],
    ['installation', 'deleted', 'deleted'],
    ['installation', 'suspend', 'suspended'],
    ['installation', 'unsuspend', 'unsuspended'],
    ['installation_repositories', 'added', 'added'],
    ['installation_repositories', 'removed', 'removed'],
  ] as const) {
    const event = parseEvent(name, example(name, action));
    assert.ok(event.kind === 'installation', `${name} ${action}: ${JSON.stringify(event)}`);
    assert.equal(event.change, change);
    assert.ok(event.installation > 0);
    if ('repositories' in event) assert.match(event.repositories[0] ?? '', /^[^/]+\/[^/]+$/);
  }
});

test('an account that has another name is told with the new one, and other actions change nothing', () => {
  const renamed = {
    action: 'renamed',
    account: { login: 'acme-inc' },
    changes: { login: { from: 'acme' } },
    installation: { id: 7 },
    target_type: 'Organization',
  };
  assert.deepEqual(parseEvent('installation_target', renamed), {
    kind: 'installation',
    installation: 7,
    change: 'renamed',
    owner: 'acme-inc',
  });
  const accepted = example('installation', 'new_permissions_accepted');
  assert.equal(parseEvent('installation', accepted).kind, 'other');
  const hostile = {
    action: 'created',
    installation: { id: 7 },
    repositories: [{ full_name: '../x' }],
  };
  assert.equal(parseEvent('installation', hostile).kind, 'other');
  const organization = { action: 'deleted', installation: { id: 7 }, organization: { id: 1 } };
  assert.equal(parseEvent('installation', organization).kind, 'other');
  const comment = example('issue_comment', 'deleted');
  assert.match(
    JSON.stringify(parseEvent('installation', comment)),
    /the body is not that of the event installation/,
  );
});
