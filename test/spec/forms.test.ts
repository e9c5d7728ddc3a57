import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Form } from '../../src/spec/form.ts';
import { knownKeys, specJsonSchema } from '../../src/spec/json-schema.ts';
import { NOTIFY_FORMS } from '../../src/spec/notify/index.ts';
import { STEP_FORMS } from '../../src/spec/steps/index.ts';

const ALL: [string, Record<string, Form>][] = [
  ['steps', STEP_FORMS],
  ['notify', NOTIFY_FORMS],
];

test('the rules of a kind are for texts that its schema knows, and every name of a secret has to be listed', () => {
  const schema = specJsonSchema();
  for (const [list, forms] of ALL) {
    for (const [key, { texts }] of Object.entries(forms)) {
      const known = (path: string[]) => knownKeys(schema, [list, 0, key, ...path]);
      for (const path of Object.keys(texts).filter((one) => one !== '')) {
        const names = path.split('.').filter((one) => !one.startsWith('*'));
        assert.ok(known(names.slice(0, -1)).includes(names.at(-1) ?? ''), `${key}.${path}`);
      }
      for (const name of known([]).filter((one) => /^(?:secret|token|key)$/.test(one))) {
        assert.equal(texts[name], 'secret', `${key}.${name}`);
      }
    }
  }
});
