import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createHooks } from '../../../src/controller/hooks/hooks.ts';
import { parseSpecs } from '../../../src/spec/load.ts';

test('a secret counts from its date until its date, and one that is changed at once', async () => {
  const { hooks: loaded } = parseSpecs(
    'hooks.yaml',
    `kind: hook
id: a
sender: bearer
secrets:
  - { name: OLD, until: 1970-01-01T00:00:02Z }
  - { name: NEW, from: 1970-01-01T00:00:01Z }
`,
  );
  const values = new Map([
    ['OLD', 'old'],
    ['NEW', 'new'],
  ]);
  const hooks = createHooks({
    catalog: { hook: () => loaded[0], current: () => assert.fail('it is found') },
    store: { get: () => assert.fail('it is in a file') } as never,
    secrets: undefined,
    secret: (name) => values.get(name),
    clock: { now: () => 0 },
  });
  const open = await hooks.find('a');
  const taken = (now: number) =>
    ['old', 'new', 'newer'].filter((token) => {
      const header = () => `Bearer ${token}`;
      return open?.verify({ header, token: '' }, now).whole(Buffer.from('{}')) === true;
    });

  assert.deepEqual(taken(0), ['old']);
  assert.deepEqual(taken(1000), ['old', 'new']);
  assert.deepEqual(taken(2000), ['new']);
  values.set('NEW', 'newer');
  assert.deepEqual(taken(2000), ['newer']);
});
