import assert from 'node:assert/strict';
import { test } from 'node:test';
import { warnOfUnsetSecrets } from '../../src/app/unset-secrets.ts';
import { parseSpecs } from '../../src/spec/load.ts';

const SPEC = `
name: site
repository: acme/site
on: push
secrets: [SET, NOT_SET]
steps: [{ run: 'true' }]
---
kind: hook
id: images
sender: bearer
secrets: [OF_HOOK, NOT_SET]
`;

test('secrets that have no value are named when specs are loaded, and again when others are missing after a change', () => {
  const values: Record<string, string | undefined> = { SET: 'a', NOT_SET: undefined };
  const said: unknown[] = [];
  let changed = () => {};
  const { specs, hooks } = parseSpecs('site.yaml', SPEC);
  warnOfUnsetSecrets({
    catalog: {
      current: () => ({ specs, problems: [], loadedAt: 1, stale: false }),
      hooks: () => hooks,
      onChange(listener) {
        changed = () => listener({ specs, problems: [], loadedAt: 1, stale: false });
        return () => {};
      },
    },
    secret: (name) => values[name],
    logger: { warn: (fields: unknown) => said.push(fields) },
  });
  const hint = 'set MAINSHEET_SECRET_NOT_SET, or put a file NOT_SET into MAINSHEET_SECRETS_DIR';
  assert.deepEqual(said, [{ secrets: ['NOT_SET', 'OF_HOOK'], hint }]);
  changed();
  assert.equal(said.length, 1, 'what was said is not said again');
  Object.assign(values, { NOT_SET: 'b', OF_HOOK: 'c' });
  changed();
  assert.equal(said.length, 1);
  values['OF_HOOK'] = undefined;
  changed();
  assert.equal(said.length, 2);
});
