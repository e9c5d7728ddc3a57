import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeWaits } from '../../src/model/step-gate.ts';
import { parseSpecs } from '../../src/spec/load.ts';

test('what runs of a spec wait for is told with the plans that people approve', () => {
  const text = `
name: x
repository: a/b
on: push
gates: [{ approve: {} }]
steps:
  - { name: Infra, terraform: {} }
  - { name: Net, terraform: { approve: { when: always, from: alice, count: 2 } } }
  - { name: Free, terraform: { approve: never } }
`;
  const [loaded] = parseSpecs('x.yaml', text).specs;
  assert.ok(loaded);
  assert.deepEqual(describeWaits(loaded.spec), [
    '1 approval by people who may write to the repository',
    'the plan of Infra: 1 approval by people who may write to the repository, when it changes something',
    'the plan of Net: 2 approvals by alice',
  ]);
});
